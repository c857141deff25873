//! Zed: `context_servers` in its settings; the command was an object in older versions.

use crate::hosts::words::FieldMeaning::{Lost, Nothing};
use crate::hosts::{Base, HostFile, KnownHost, LocalForm, PLAIN, json};

const SERVERS: &[&[&str]] = &[&["context_servers"]];

const FILES: &[HostFile] = &[
    json(Base::Project, ".zed/settings.json").under(SERVERS),
    json(Base::ConfigOfUnix, "zed/settings.json").under(SERVERS),
    json(Base::ApplicationNotUnix, "Zed/settings.json").under(SERVERS),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "zed",
    title: "Zed",
    files: FILES,
    fields: &[
        ("source", Nothing),
        ("settings", Lost("the settings of an extension of Zed are not passed to the server")),
        ("remote", Nothing),
    ],
    built_in: &["extension"],
    local: LocalForm::Command(&[("source", "custom")]),
    of_desktop: true,
    ..PLAIN
};
