//! fx: as opencode's older form, with fields that name variables.

use crate::hosts::{Base, HostFile, KnownHost, LocalForm, PLAIN, json};

const SERVERS: &[&[&str]] = &[&["mcp"]];

const FILES: &[HostFile] = &[json(Base::Home, ".fx/mcp.json").under(SERVERS)];

pub(super) static HOST: KnownHost =
    KnownHost { name: "fx", title: "fx", files: FILES, local: LocalForm::Words, ..PLAIN };
