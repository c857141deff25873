//! Kilo: as opencode, in files of its own.

use super::opencode;
use crate::hosts::{Base, Form, HostFile, KnownHost, LocalForm, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::Project, "kilo.jsonc").under(opencode::SERVERS),
    json(Base::Project, "kilo.json").under(opencode::SERVERS),
    json(Base::Project, ".kilo/kilo.jsonc").under(opencode::SERVERS),
    json(Base::Project, ".kilo/kilo.json").under(opencode::SERVERS),
    json(Base::Project, ".kilocode/mcp.json"),
    json(Base::Config, "kilo/kilo.jsonc").under(opencode::SERVERS),
    json(Base::Config, "kilo/kilo.json").under(opencode::SERVERS),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "kilo",
    title: "Kilo",
    files: FILES,
    fields: opencode::FIELDS,
    // That of its older file, and of its newer ones.
    forms: &[Form::Env, Form::Braces],
    local: LocalForm::Words,
    ..PLAIN
};
