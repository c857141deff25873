//! Junie.

use crate::hosts::{Base, Host, HostFile, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".junie/mcp/mcp.json"), json(Base::Home, ".junie/mcp/mcp.json")];

pub(super) static HOST: Host =
    Host { name: "junie", title: "Junie", files: FILES, expands: false, of_desktop: true, ..PLAIN };
