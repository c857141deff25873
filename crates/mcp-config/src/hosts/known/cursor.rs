//! Cursor. A `url` needs no type; a client that is registered by hand is in `auth`.

use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[json(Base::Project, ".cursor/mcp.json"), json(Base::Home, ".cursor/mcp.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "cursor",
    title: "Cursor",
    files: FILES,
    of_desktop: true,
    forms: &[Form::Env, Form::Editor],
    ..PLAIN
};
