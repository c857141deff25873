//! Mastra Code.

use crate::hosts::{Base, Host, HostFile, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".mastracode/mcp.json"), json(Base::Home, ".mastracode/mcp.json")];

pub(super) static HOST: Host = Host { name: "mastra", title: "Mastra Code", files: FILES, ..PLAIN };
