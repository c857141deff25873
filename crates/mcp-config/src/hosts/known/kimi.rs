//! Kimi Code: `transport` is the type.

use crate::hosts::{Base, HostFile, KnownHost, LocalForm, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::Project, ".kimi-code/mcp.json"),
    json(Base::Variable("KIMI_CODE_HOME", ".kimi-code"), "mcp.json"),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "kimi",
    title: "Kimi Code",
    files: FILES,
    local: LocalForm::Command(&[("transport", "stdio")]),
    ..PLAIN
};
