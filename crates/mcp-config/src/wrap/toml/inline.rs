//! An entry within `mcp_servers = { … }`: its members with dots (`a.url = "…", a.enabled = false`), and its place where it is not there.

use std::ops::Range;

use toml_edit::{InlineTable, Item};

/// Where the members of `table` are, which has keys with dots alone; `None` where they do not stand side by side.
pub(super) fn members(text: &str, table: &InlineTable) -> Option<Range<usize>> {
    let mut found = Vec::new();
    look(text, table, &mut found)?;
    found.sort_by_key(|member| member.start);
    let is_beside = found.windows(2).all(|pair| text[pair[0].end..pair[1].start].trim() == ",");
    let (first, last) = (found.first()?, found.last()?);
    is_beside.then_some(first.start..last.end)
}

fn look(text: &str, table: &InlineTable, found: &mut Vec<Range<usize>>) -> Option<()> {
    for (word, value) in table {
        if let Some(below) = value.as_inline_table().filter(|below| below.is_dotted()) {
            look(text, below, found)?;
            continue;
        }
        let key = table.key(word)?.span()?.start;
        let before = text[..key].rfind(['{', ','])? + 1;
        let blank = text[before..key].len() - text[before..key].trim_start().len();
        found.push(before + blank..value.span()?.end);
    }
    Some(())
}

/// Where the servers are, if they are a table on one line.
pub(super) fn span(text: &str, servers: &Item) -> Option<Range<usize>> {
    servers.as_inline_table()?;
    servers.as_value()?.span().filter(|span| text[span.clone()].starts_with('{'))
}

/// `text` with one more member in the table at `span`.
pub(super) fn put_in(text: &str, span: Range<usize>, member: &str) -> String {
    let inner = text[span.start + 1..span.end - 1].trim_end();
    let end = span.start + 1 + inner.len();
    let comma = if inner.trim().is_empty() { "" } else { ", " };
    format!("{}{comma}{member}{}", &text[..end], &text[end..])
}

/// `text` without the member whose value is at `value`, and without the comma that parted it from the others.
pub(super) fn taken_out(text: &str, key: usize, value: &Range<usize>) -> String {
    let before = text[..key].trim_end();
    if let Some(first) = before.strip_suffix(',') {
        return format!("{first}{}", &text[value.end..]);
    }
    let behind = &text[value.end..];
    let rest = behind.trim_start().strip_prefix(',').map_or(behind, str::trim_start);
    format!("{}{rest}", &text[..key])
}
