//! Pi.

use crate::hosts::{Base, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[json(Base::Project, ".pi/mcp.json"), json(Base::Home, ".pi/agent/mcp.json")];

pub(super) static HOST: KnownHost = KnownHost { name: "pi", title: "Pi", files: FILES, ..PLAIN };
