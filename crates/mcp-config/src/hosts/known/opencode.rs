//! opencode: `mcp`, and `mcp.servers` in its newer form; the command is an array, its variables are `environment`.

use crate::hosts::words::FieldMeaning::Lost;
use crate::hosts::{Base, FieldMeaning, Form, HostFile, KnownHost, LocalForm, PLAIN, json};

pub(super) const SERVERS: &[&[&str]] = &[&["mcp", "servers"], &["mcp"]];
pub(super) const FIELDS: &[(&str, FieldMeaning)] =
    &[("timeout", Lost("it limits the first list of tools; here MCP_TIMEOUT does"))];

const FILES: &[HostFile] = &[
    json(Base::Project, "opencode.jsonc").under(SERVERS),
    json(Base::Project, "opencode.json").under(SERVERS),
    json(Base::Project, ".opencode/opencode.jsonc").under(SERVERS),
    json(Base::Project, ".opencode/opencode.json").under(SERVERS),
    json(Base::Config, "opencode/opencode.jsonc").under(SERVERS),
    json(Base::Config, "opencode/opencode.json").under(SERVERS),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "opencode",
    title: "opencode",
    files: FILES,
    fields: FIELDS,
    forms: &[Form::Braces],
    local: LocalForm::Words,
    ..PLAIN
};
