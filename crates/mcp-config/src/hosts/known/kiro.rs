//! Kiro.

use crate::hosts::words::FieldMeaning::Nothing;
use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".kiro/settings/mcp.json"), json(Base::Home, ".kiro/settings/mcp.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "kiro",
    title: "Kiro",
    files: FILES,
    fields: &[("autoApprove", Nothing)],
    of_desktop: true,
    forms: &[Form::Plain],
    ..PLAIN
};
