//! Grok Build: as Codex, with `headers`.

use crate::hosts::{Base, Format, HostFile, KnownHost, PLAIN, json};

const SERVERS: &[&[&str]] = &[&["mcp_servers"]];

const FILES: &[HostFile] = &[
    json(Base::Project, ".grok/config.toml").under(SERVERS).written_in(Format::Toml),
    json(Base::Variable("GROK_HOME", ".grok"), "config.toml").under(SERVERS).written_in(Format::Toml),
];

pub(super) static HOST: KnownHost = KnownHost { name: "grok", title: "Grok Build", files: FILES, ..PLAIN };
