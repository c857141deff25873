//! VS Code: its portable form, which is Copilot CLI's, and `servers` with `inputs` in files of their own, and before those existed in its settings.

use crate::hosts::words::FieldMeaning::{Lost, Nothing};
use crate::hosts::{Base, Form, HostFile, KnownHost, LocalForm, PLAIN, json};

const SERVERS: &[&[&str]] = &[&["servers"], &["mcpServers"]];
const SETTINGS: &[&[&str]] = &[&["mcp", "servers"], &["mcp.servers"]];

const FILES: &[HostFile] = &[
    json(Base::Project, ".vscode/mcp.json").under(SERVERS),
    json(Base::Project, ".vscode/settings.json").under(SETTINGS),
    json(Base::Application, "Code/User/mcp.json").under(SERVERS),
    json(Base::Application, "Code/User/settings.json").under(SETTINGS),
];

/// The portable form.
const OF_COPILOT: &[HostFile] =
    &[json(Base::Project, ".mcp.json"), json(Base::Variable("COPILOT_HOME", ".copilot"), "mcp-config.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "vscode",
    title: "VS Code",
    files: FILES,
    files_of_others: OF_COPILOT,
    fields: &[
        ("gallery", Nothing),
        ("version", Nothing),
        ("dev", Nothing),
        ("deferTools", Nothing),
        ("slowConnectionThresholdMs", Nothing),
        ("sandbox", Lost("a local server is not put into a sandbox here")),
        ("sandboxEnabled", Lost("a local server is not put into a sandbox here")),
    ],
    forms: &[Form::Env, Form::Editor, Form::Input],
    local: LocalForm::Command(&[("type", "stdio")]),
    of_desktop: true,
    ..PLAIN
};
