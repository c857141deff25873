//! Antigravity: the address is `serverUrl`.

use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::Home, ".gemini/config/mcp_config.json"),
    json(Base::Home, ".gemini/antigravity/mcp_config.json"),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "antigravity",
    title: "Antigravity",
    files: FILES,
    of_desktop: true,
    addresses: &["serverUrl", "url"],
    forms: &[Form::Env],
    ..PLAIN
};
