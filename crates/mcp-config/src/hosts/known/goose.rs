//! Goose: YAML, `extensions`, some of which are built into it; times are in seconds.

use crate::hosts::words::FieldMeaning::{Nothing, Time};
use crate::hosts::words::Unit::Seconds;
use crate::hosts::{Base, Form, Format, HostFile, KnownHost, PLAIN, json};

const EXTENSIONS: &[&[&str]] = &[&["extensions"]];

const FILES: &[HostFile] = &[
    json(Base::ConfigOfUnix, "goose/config.yaml").under(EXTENSIONS).written_in(Format::Yaml),
    json(Base::AppData, "Block/goose/config/config.yaml").under(EXTENSIONS).written_in(Format::Yaml),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "goose",
    title: "Goose",
    files: FILES,
    fields: &[
        ("timeout", Time("timeout", Seconds)),
        ("bundled", Nothing),
        ("name", Nothing),
        ("display_name", Nothing),
        ("description", Nothing),
    ],
    built_in: &["builtin", "platform", "frontend", "inline_python"],
    forms: &[Form::PlainInHeaders],
    ..PLAIN
};
