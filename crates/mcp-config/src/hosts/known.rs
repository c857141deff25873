//! The hosts that are known, one file each.

use super::KnownHost;

mod amp;
mod antigravity;
mod claude_code;
mod claude_desktop;
mod cline;
mod codex;
mod copilot;
mod cursor;
mod fx;
mod gemini;
mod goose;
mod grok;
mod junie;
mod kilo;
mod kimi;
mod kiro;
mod mastra;
mod mcporter;
mod opencode;
mod pi;
mod qwen;
mod vscode;
mod windsurf;
mod zed;

/// In the order in which people are told of them.
pub(super) static ALL: [&KnownHost; 24] = [
    &claude_code::HOST,
    &claude_desktop::HOST,
    &cursor::HOST,
    &vscode::HOST,
    &copilot::HOST,
    &codex::HOST,
    &windsurf::HOST,
    &opencode::HOST,
    &gemini::HOST,
    &qwen::HOST,
    &zed::HOST,
    &cline::HOST,
    &goose::HOST,
    &amp::HOST,
    &kiro::HOST,
    &junie::HOST,
    &kilo::HOST,
    &antigravity::HOST,
    &mcporter::HOST,
    &grok::HOST,
    &kimi::HOST,
    &pi::HOST,
    &mastra::HOST,
    &fx::HOST,
];
