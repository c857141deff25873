//! Amp: one key with a dot in it, in its settings, and another with rules that refuse servers.

use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const SERVERS: &[&[&str]] = &[&["amp.mcpServers"]];

const FILES: &[HostFile] = &[
    json(Base::Project, ".amp/settings.json").under(SERVERS),
    json(Base::Config, "amp/settings.json").under(SERVERS),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "amp",
    title: "Amp",
    files: FILES,
    rules: &["amp.mcpPermissions"],
    forms: &[Form::Plain],
    ..PLAIN
};
