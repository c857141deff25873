//! Claude Desktop: local servers only, and no variables.

use crate::hosts::{Base, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[json(Base::Application, "Claude/claude_desktop_config.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "claude-desktop",
    title: "Claude Desktop",
    files: FILES,
    of_desktop: true,
    is_local_only: true,
    ..PLAIN
};
