//! Codex: TOML, with no references to variables but fields that name them.

use crate::hosts::words::FieldMeaning::{Nothing, OAuthField, OneOf};
use crate::hosts::words::MANAGED;
use crate::hosts::{Base, Format, HostFile, KnownHost, PLAIN, json};

const SERVERS: &[&[&str]] = &[&["mcp_servers"]];

const FILES: &[HostFile] = &[
    json(Base::Project, ".codex/config.toml").under(SERVERS).written_in(Format::Toml),
    json(Base::Variable("CODEX_HOME", ".codex"), "config.toml").under(SERVERS).written_in(Format::Toml),
];

/// What it leaves of its environment for a local server, on Unix.
const HANDED_ON: [&str; 11] = [
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "USER",
    "__CF_USER_TEXT_ENCODING",
    "LANG",
    "LC_ALL",
    "TERM",
    "TMPDIR",
    "TZ",
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "codex",
    title: "Codex",
    files: FILES,
    fields: &[
        ("required", Nothing),
        ("default_tools_approval_mode", Nothing),
        ("supports_parallel_tool_calls", Nothing),
        ("auth", OneOf(&["oauth"], MANAGED)),
    ],
    of_all: &[
        ("mcp_oauth_callback_port", OAuthField("callbackPort")),
        ("mcp_oauth_callback_url", OAuthField("redirectUri")),
    ],
    hands_on: Some(&HANDED_ON),
    ..PLAIN
};
