//! Pi.

use crate::hosts::{Base, Host, HostFile, PLAIN, json};

const FILES: &[HostFile] = &[json(Base::Project, ".pi/mcp.json"), json(Base::Home, ".pi/agent/mcp.json")];

pub(super) static HOST: Host = Host { name: "pi", title: "Pi", files: FILES, ..PLAIN };
