//! mcporter.

use crate::hosts::words::ALONE;
use crate::hosts::words::FieldMeaning::{Nothing, OneOf};
use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::Project, "config/mcporter.json"),
    json(Base::Home, ".mcporter/mcporter.json"),
    json(Base::Home, ".mcporter/mcporter.jsonc"),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "mcporter",
    title: "mcporter",
    files: FILES,
    fields: &[
        ("auth", OneOf(&["oauth"], ALONE)),
        ("clientName", Nothing),
        ("tokenCacheDir", Nothing),
        ("lifecycle", Nothing),
        ("logging", Nothing),
    ],
    forms: &[Form::Plain, Form::Default, Form::DollarEnv],
    ..PLAIN
};
