//! Kiro.

use crate::hosts::words::FieldMeaning::Nothing;
use crate::hosts::{Base, Host, HostFile, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".kiro/settings/mcp.json"), json(Base::Home, ".kiro/settings/mcp.json")];

pub(super) static HOST: Host = Host {
    name: "kiro",
    title: "Kiro",
    files: FILES,
    fields: &[("autoApprove", Nothing)],
    of_desktop: true,
    ..PLAIN
};
