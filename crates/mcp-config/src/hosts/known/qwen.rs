//! Qwen Code: as Gemini CLI, in files of its own.

use super::gemini;
use crate::hosts::{Base, HostFile, KnownHost, PLAIN, json};

const FILES: &[HostFile] =
    &[json(Base::Project, ".qwen/settings.json"), json(Base::Home, ".qwen/settings.json")];

pub(super) static HOST: KnownHost = KnownHost {
    name: "qwen",
    title: "Qwen Code",
    files: FILES,
    fields: gemini::FIELDS,
    addresses: gemini::ADDRESSES,
    forms: gemini::FORMS,
    off: &["mcp", "excluded"],
    on: &["mcp", "allowed"],
    ..PLAIN
};
