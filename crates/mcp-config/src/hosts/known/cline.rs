//! Cline, the extension and the command: flat entries, or with everything in `transport`.

use crate::hosts::words::FieldMeaning::{Nothing, Time};
use crate::hosts::words::Unit::Seconds;
use crate::hosts::{Base, Form, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] = &[
    json(Base::FileInVariable("CLINE_MCP_SETTINGS_PATH"), ""),
    json(Base::Variable("CLINE_DIR", ".cline"), "data/settings/cline_mcp_settings.json"),
    json(
        Base::Application,
        "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
    ),
];

pub(super) static HOST: KnownHost = KnownHost {
    name: "cline",
    title: "Cline",
    files: FILES,
    fields: &[("autoApprove", Nothing), ("alwaysAllow", Nothing), ("timeout", Time("timeout", Seconds))],
    forms: &[Form::Env],
    of_desktop: true,
    ..PLAIN
};
