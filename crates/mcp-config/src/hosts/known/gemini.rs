//! Gemini CLI: `httpUrl`, or `url` with a type; what is switched off is listed in `mcp.excluded`.

use crate::hosts::words::FieldMeaning::{Lost, Nothing};
use crate::hosts::{Base, FieldMeaning, Form, HostFile, KnownHost, PLAIN, json};

const GOOGLE: &str = "tokens of a cloud provider are not supplied here: use `headersHelper`";

pub(super) const FIELDS: &[(&str, FieldMeaning)] = &[
    ("trust", Nothing),
    ("extension", Nothing),
    ("tcp", Lost("this transport is not spoken here")),
    ("targetAudience", Lost(GOOGLE)),
    ("targetServiceAccount", Lost(GOOGLE)),
];
pub(super) const ADDRESSES: &[&str] = &["httpUrl", "url"];
pub(super) const FORMS: &[Form] = &[Form::Plain, Form::Default, Form::Dollar];

const FILES: &[HostFile] =
    &[json(Base::Project, ".gemini/settings.json"), json(Base::Home, ".gemini/settings.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "gemini",
    title: "Gemini CLI",
    files: FILES,
    fields: FIELDS,
    addresses: ADDRESSES,
    forms: FORMS,
    off: &["mcp", "excluded"],
    on: &["mcp", "allowed"],
    ..PLAIN
};
