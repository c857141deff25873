//! Mastra Code.

use crate::hosts::{Base, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".mastracode/mcp.json"), json(Base::Home, ".mastracode/mcp.json")];

pub(super) static HOST: KnownHost = KnownHost { name: "mastra", title: "Mastra Code", files: FILES, ..PLAIN };
