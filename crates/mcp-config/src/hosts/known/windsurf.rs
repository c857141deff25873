//! Windsurf: the address is `serverUrl`.

use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[json(Base::Home, ".codeium/windsurf/mcp_config.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "windsurf",
    title: "Windsurf",
    files: FILES,
    of_desktop: true,
    addresses: &["serverUrl", "url"],
    forms: &[Form::Env, Form::File],
    ..PLAIN
};
