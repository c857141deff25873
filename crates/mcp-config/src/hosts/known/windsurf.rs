//! Windsurf: the address is `serverUrl`.

use crate::hosts::{Base, Host, HostFile, PLAIN, json};

const FILES: &[HostFile] = &[json(Base::Home, ".codeium/windsurf/mcp_config.json")];

pub(super) static HOST: Host =
    Host { name: "windsurf", title: "Windsurf", files: FILES, of_desktop: true, ..PLAIN };
