//! Junie.

use crate::hosts::{Base, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".junie/mcp/mcp.json"), json(Base::Home, ".junie/mcp/mcp.json")];

pub(super) static HOST: KnownHost =
    KnownHost { name: "junie", title: "Junie", files: FILES, of_desktop: true, ..PLAIN };
