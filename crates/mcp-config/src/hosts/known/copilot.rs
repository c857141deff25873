//! Copilot CLI, whose files VS Code reads as well, as its portable form.

use crate::hosts::words::FieldMeaning::{Lost, Nothing};
use crate::hosts::{Base, Form, HostFile, KnownHost, LocalForm, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::Project, ".mcp.json"),
    json(Base::Project, ".github/mcp.json"),
    json(Base::Variable("COPILOT_HOME", ".copilot"), "mcp-config.json"),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "copilot",
    title: "Copilot CLI",
    files: FILES,
    fields: &[
        ("deferTools", Nothing),
        ("slowConnectionThresholdMs", Nothing),
        // VS Code's, in the files that both read.
        ("dev", Nothing),
        ("sandbox", Lost("a local server is not put into a sandbox here")),
        ("sandboxEnabled", Lost("a local server is not put into a sandbox here")),
    ],
    forms: &[Form::Plain, Form::Default],
    // It says `local` as well, which the others that read the same `.mcp.json` do not know.
    local: LocalForm::CommandAndTools(&[("type", "stdio")]),
    ..PLAIN
};
