//! Claude Code. Its files are those that are read anyway, with words that are ours as well.

use crate::hosts::{Form, KnownHost, LocalForm, PLAIN};

pub(super) static HOST: KnownHost = KnownHost {
    name: "claude-code",
    title: "Claude Code",
    is_native: true,
    local: LocalForm::Command(&[("type", "stdio")]),
    forms: &[Form::Plain, Form::Default],
    ..PLAIN
};
