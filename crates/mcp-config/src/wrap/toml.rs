//! Entries in TOML, as text: `[mcp_servers.NAME]` with the tables below it, a value in `[mcp_servers]`, or lines that begin
//! with `mcp_servers.NAME.`, where what the host says for itself stays where it is; and the same on one line, within
//! `mcp_servers = { … }`.
//!
//! The library says where tables and values begin, and the rest is splices, so that what is not named is not touched.

mod inline;
#[cfg(test)]
mod tests;
mod written;

use std::ops::Range;

use toml_edit::{Document, DocumentMut, Item, Key, Table};

pub(super) use self::written::block;
use self::written::{body, fields, key, quoted};
use super::meanwhile::{self, is_of_host, is_way};
use super::{BridgeCommand, WrapEdit, WrapError};
use crate::edit::Value;
use crate::hosts::{KnownHost, toml_value};

/// The table of the servers, in every host that has TOML.
const SERVERS: &str = "mcp_servers";

const OTHER_FORM: WrapError =
    WrapError::NotEdited("its entry is written in a form of TOML that is not edited here");

/// What `through` does, and what the host says of the entry for itself, as it is written.
fn replacing(host: &KnownHost, text: &str, name: &str, through: &BridgeCommand) -> Vec<(String, String)> {
    let document = Document::parse(text).ok();
    let servers = document.as_ref().and_then(|document| document.as_table().get(SERVERS));
    let entry = servers.and_then(|servers| servers.get(name)).and_then(Item::as_table_like);
    let kept = entry.into_iter().flat_map(|entry| entry.iter()).filter_map(|(word, item)| {
        let written = text.get(item.as_value()?.span()?)?.to_owned();
        is_of_host(host, word).then(|| (key(word), written))
    });
    let put = fields(through).into_iter().map(|(key, value)| (key.to_owned(), value));
    put.chain(kept).collect()
}

/// The tables of the entry that the host says for itself, behind the entry.
fn tables_of_host(host: &KnownHost, text: &str, name: &str, end: &str) -> String {
    let Ok(document) = text.parse::<DocumentMut>() else { return String::new() };
    let servers = document.get(SERVERS);
    let entry = servers.and_then(|servers| servers.get(name)).and_then(Item::as_table);
    let kept = entry
        .into_iter()
        .flat_map(Table::iter)
        .filter(|(word, item)| (item.is_table() || item.is_array_of_tables()) && is_of_host(host, word));
    let mut alone = DocumentMut::new();
    for (word, item) in kept {
        set(implicit(implicit(alone.as_table_mut(), SERVERS), name), word, item);
    }
    alone.to_string().replace("\r\n", "\n").replace('\n', end)
}

/// The table `key` of `table`, which has a header only where it has something of its own.
fn implicit<'t>(table: &'t mut Table, key: &str) -> &'t mut Table {
    let made = || {
        let mut made = Table::new();
        made.set_implicit(true);
        Item::Table(made)
    };
    let item = table.entry(key).or_insert_with(made);
    match item {
        Item::Table(table) => table,
        _ => unreachable!("made above"),
    }
}

/// `item`, of another document, as the last member of `table`.
fn set(table: &mut Table, key: &str, item: &Item) {
    let mut item = item.clone();
    unplaced(&mut item);
    table.insert(key, item);
}

/// A place in another document says nothing in this one.
fn unplaced(item: &mut Item) {
    match item {
        Item::Table(table) => {
            table.set_position(None);
            // Keys with dots stand below the header of the entry, which is written elsewhere.
            table.set_dotted(false);
            table.iter_mut().for_each(|(_, item)| unplaced(item));
        }
        Item::ArrayOfTables(tables) => {
            for table in tables.iter_mut() {
                table.set_position(None);
                table.iter_mut().for_each(|(_, item)| unplaced(item));
            }
        }
        _ => {}
    }
}

/// What the servers are.
pub(super) fn servers(text: &str) -> Option<Value> {
    toml_value(text)?.get(SERVERS).cloned()
}

/// What the entry says.
pub(super) fn entry(text: &str, name: &str) -> Option<Value> {
    servers(text)?.get(name).cloned()
}

/// The entry `original`, with what the host, or a person in it, has said of the server meanwhile in `text`.
fn with_said(
    host: &KnownHost,
    original: &str,
    is_inner: bool,
    text: &str,
    name: &str,
    through: &BridgeCommand,
) -> Option<String> {
    let is_value = original.starts_with('{');
    let whole = match is_value {
        true => format!("[{SERVERS}]\n{} = {original}\n", key(name)),
        false if is_inner => format!("{SERVERS} = {{ {original} }}\n"),
        false => original.to_owned(),
    };
    let kept = meanwhile::of_host(host, entry(&whole, name)?);
    let was = meanwhile::with(entry(&block(&[SERVERS], name, through, "\n"), name)?, kept);
    let now = entry(text, name)?;
    let changed = meanwhile::changed(host, &was, &now);
    if changed.is_empty() {
        return Some(original.to_owned());
    }
    let theirs: DocumentMut = text.parse().ok()?;
    let theirs = theirs.get(SERVERS)?.get(name)?.as_table_like()?;
    let mut document: DocumentMut = whole.parse().ok()?;
    let entry = document.get_mut(SERVERS)?.get_mut(name)?;
    for (word, now) in changed {
        match (now.and_then(|_| theirs.get(word)), &mut *entry) {
            (None, entry) => drop(entry.as_table_like_mut()?.remove(word)),
            (Some(item), Item::Table(table)) => set(table, word, item),
            (Some(item), entry) => {
                let mut value = item.clone().into_value().ok()?;
                // A comment ends with its line, and so would the table.
                value.decor_mut().clear();
                drop(entry.as_table_like_mut()?.insert(word, Item::Value(value)));
            }
        }
    }
    if is_value {
        return Some(entry.to_string().trim().to_owned());
    }
    if is_inner {
        let servers = document.get(SERVERS)?.to_string();
        return Some(servers.trim().strip_prefix('{')?.strip_suffix('}')?.trim().to_owned());
    }
    let block = document.to_string().replace("\r\n", "\n");
    Some(block.replace('\n', line_end(original)))
}

/// Where an entry is in a text.
enum TablePlace {
    /// The blocks of its tables, in the order of the text; the first is where it is put.
    Tables(Vec<Range<usize>>),
    /// A value, which is a table on one line.
    Value(Range<usize>),
    /// The lines of keys with dots, and what is in each before the field.
    Lines(Vec<Range<usize>>, String),
    /// The members of a table on one line, whose keys have dots.
    Members(Range<usize>),
    Nowhere,
    /// Nowhere in the servers, which are a table on one line.
    NowhereIn(Range<usize>),
}

/// `is_taken` says which fields go, where an entry is lines that can stay one by one.
fn at(text: &str, name: &str, is_taken: impl Fn(&str) -> bool) -> Result<TablePlace, WrapError> {
    let document = Document::parse(text).map_err(|_| WrapError::NotEdited("its file is not valid TOML"))?;
    let mut starts = Vec::new();
    headers(document.as_table(), &mut Vec::new(), &mut starts);
    starts.sort_by_key(|(_, start)| *start);
    let of_entry = |path: &[String]| path.len() >= 2 && path[0] == SERVERS && path[1] == name;
    let servers = document.as_table().get(SERVERS);
    let dotted = servers.and_then(|servers| servers.as_table()?.get(name)?.as_table());
    if let Some(entry) = dotted.filter(|entry| entry.is_dotted()) {
        // A table below it cannot stand where its lines do.
        if starts.iter().any(|(path, _)| of_entry(path) && path.get(2).is_none_or(|word| is_taken(word))) {
            return Err(OTHER_FORM);
        }
        let key = servers.and_then(|servers| servers.as_table()?.key(name)?.span()).ok_or(OTHER_FORM)?;
        let before = text[line_start(text, key.start)..key.end].to_owned();
        let mut lines = Vec::new();
        for (word, item) in entry.iter().filter(|(word, _)| is_taken(word)) {
            lines_of(text, entry.key(word), item, &mut lines).ok_or(OTHER_FORM)?;
        }
        lines.sort_by_key(|line| line.start);
        return if lines.is_empty() { Err(OTHER_FORM) } else { Ok(TablePlace::Lines(lines, before)) };
    }
    let mut blocks: Vec<Range<usize>> = Vec::new();
    for (number, (path, start)) in starts.iter().enumerate() {
        if of_entry(path) {
            let next = starts.get(number + 1).map_or(text.len(), |(_, start)| *start);
            let end = end_of_block(text, *start, next);
            // What stands between two tables of the entry goes with them.
            match (number.checked_sub(1).is_some_and(|before| of_entry(&starts[before].0)), blocks.last_mut())
            {
                (true, Some(last)) => last.end = end,
                _ => blocks.push(line_start(text, *start)..end),
            }
        }
    }
    if !blocks.is_empty() {
        let has_own = starts.iter().any(|(path, _)| path.len() == 2 && of_entry(path));
        return if has_own { Ok(TablePlace::Tables(blocks)) } else { Err(OTHER_FORM) };
    }
    match servers.and_then(|servers| servers.get(name)) {
        None | Some(Item::None) => {
            let inline = servers.and_then(|servers| inline::span(text, servers));
            Ok(inline.map_or(TablePlace::Nowhere, TablePlace::NowhereIn))
        }
        Some(Item::Value(toml_edit::Value::InlineTable(table))) => {
            // One that is made of dotted keys has no place of its own.
            match table.span().filter(|span| text[span.clone()].starts_with('{')) {
                Some(span) => Ok(TablePlace::Value(span)),
                // In a name with these signs they part nothing.
                None if name.contains(['{', ',']) => Err(OTHER_FORM),
                None => inline::members(text, table).map(TablePlace::Members).ok_or(OTHER_FORM),
            }
        }
        Some(_) => Err(OTHER_FORM),
    }
}

/// The lines of `item`, whose key is the last one before its value.
fn lines_of(text: &str, key: Option<&Key>, item: &Item, lines: &mut Vec<Range<usize>>) -> Option<()> {
    match item {
        Item::Value(value) => {
            let end = value.span()?.end;
            let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
            lines.push(line_start(text, key?.span()?.start)..end);
        }
        Item::Table(table) => {
            for (word, item) in table.iter().filter(|_| table.is_dotted()) {
                lines_of(text, table.key(word), item, lines)?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Every table that has a header, and where that is.
fn headers(table: &Table, path: &mut Vec<String>, starts: &mut Vec<(Vec<String>, usize)>) {
    for (name, item) in table.iter() {
        path.push(name.to_owned());
        match item {
            Item::Table(table) => {
                if let Some(span) = table.span().filter(|_| !table.is_implicit() && !table.is_dotted()) {
                    starts.push((path.clone(), span.start));
                }
                headers(table, path, starts);
            }
            Item::ArrayOfTables(tables) => {
                for table in tables.iter() {
                    starts.extend(table.span().map(|span| (path.clone(), span.start)));
                    headers(table, path, starts);
                }
            }
            _ => {}
        }
        path.pop();
    }
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The end of the block that begins at `start`: what stands alone before the next header belongs to that.
fn end_of_block(text: &str, start: usize, next: usize) -> usize {
    let mut end = if next == text.len() { next } else { line_start(text, next) };
    while end > start {
        let line = line_start(text, end - 1);
        let content = text[line..end].trim();
        if line <= start || !(content.is_empty() || content.starts_with('#')) {
            break;
        }
        end = line;
    }
    end
}

fn line_end(text: &str) -> &'static str {
    if text.find('\n').is_some_and(|at| text[..at].ends_with('\r')) { "\r\n" } else { "\n" }
}

pub(super) fn wrapped(
    host: &KnownHost,
    text: &str,
    name: &str,
    through: &BridgeCommand,
) -> Result<WrapEdit, WrapError> {
    let (mark, text) = marked(text);
    let end = line_end(text);
    let (new, original) = match at(text, name, |word| !is_of_host(host, word))? {
        TablePlace::Tables(blocks) => {
            let original: String = blocks.iter().map(|range| &text[range.clone()]).collect();
            let first = &text[blocks[0].clone()];
            let header_end = first.find('\n').map_or(first.len(), |newline| newline + 1);
            let gap = if first[..header_end].ends_with('\n') { "" } else { end };
            // A table below it may stand first; then its header is written.
            let is_own = first[..header_end].trim_start().starts_with('[')
                && !has_more_keys(&first[..header_end], name);
            let header =
                if is_own { format!("{}{gap}", &first[..header_end]) } else { return Err(OTHER_FORM) };
            let tables = tables_of_host(host, text, name, end);
            let put = format!("{header}{}{tables}", body(&replacing(host, text, name, through), end));
            (replaced(text, &blocks, &put), Some(original))
        }
        TablePlace::Value(span) => {
            let fields = replacing(host, text, name, through);
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key} = {value}")).collect();
            let put = format!("{{ {} }}", fields.join(", "));
            let original = text[span.clone()].to_owned();
            (format!("{}{put}{}", &text[..span.start], &text[span.end..]), Some(original))
        }
        TablePlace::Lines(lines, before) => {
            let original = lines.iter().map(|line| &text[line.clone()]).collect();
            let put = fields(through).into_iter();
            let put: String = put.map(|(key, value)| format!("{before}.{key} = {value}{end}")).collect();
            (replaced(text, &lines, &put), Some(original))
        }
        TablePlace::Members(range) => {
            let fields = replacing(host, text, name, through);
            let name = key(name);
            let put: Vec<String> =
                fields.iter().map(|(key, value)| format!("{name}.{key} = {value}")).collect();
            let original = text[range.clone()].to_owned();
            (replaced(text, &[range], &put.join(", ")), Some(original))
        }
        TablePlace::NowhereIn(servers) => {
            let fields: Vec<String> =
                fields(through).iter().map(|(key, value)| format!("{key} = {value}")).collect();
            let member = format!("{} = {{ {} }}", key(name), fields.join(", "));
            (inline::put_in(text, servers, &member), None)
        }
        TablePlace::Nowhere => {
            let mut new = text.to_owned();
            if !new.is_empty() && !new.ends_with('\n') {
                new.push_str(end);
            }
            if !new.is_empty() {
                new.push_str(end);
            }
            new.push_str(&block(&[SERVERS], name, through, end));
            (new, None)
        }
    };
    // A header that names another table has the fields in it now.
    if !is_wrapped(&new, name, through) {
        return Err(OTHER_FORM);
    }
    Ok(WrapEdit { text: format!("{mark}{}", only_changed(text, new, name)?), original })
}

/// A text and the byte order mark before it, which is no part of its first line.
fn marked(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.trim_start_matches('\u{feff}').len())
}

/// `new`, where it is TOML and says beside the entry what `text` does.
fn only_changed(text: &str, new: String, name: &str) -> Result<String, WrapError> {
    if others(text, name) == others(&new, name) { Ok(new) } else { Err(OTHER_FORM) }
}

fn has_more_keys(header: &str, name: &str) -> bool {
    let written = header.trim().trim_start_matches('[').split(']').next().unwrap_or_default().trim();
    let ends = [key(name), quoted(name), format!("'{name}'")];
    !ends.iter().any(|end| written.ends_with(&**end))
}

/// The text with `put` in the place of the first of these blocks, and without the others.
fn replaced(text: &str, blocks: &[Range<usize>], put: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut from = 0;
    for (number, block) in blocks.iter().enumerate() {
        new.push_str(&text[from..block.start]);
        if number == 0 {
            new.push_str(put);
        }
        from = block.end;
    }
    new.push_str(&text[from..]);
    new
}

pub(super) fn unwrapped(
    host: &KnownHost,
    text: &str,
    name: &str,
    through: &BridgeCommand,
    original: Option<&str>,
) -> Result<String, WrapError> {
    let (mark, text) = marked(text);
    if !is_wrapped(text, name, through) {
        return Err(WrapError::Changed);
    }
    let put = fields(through);
    let is_bridge = |word: &str| put.iter().any(|(key, _)| *key == word) || is_way(host, word);
    let place = at(text, name, is_bridge)?;
    let original = match (original, &place) {
        // What was said meanwhile is in lines of its own, which stay.
        (Some(original), TablePlace::Lines(..)) => Some(original.to_owned()),
        (Some(original), place) => {
            let is_inner = matches!(place, TablePlace::Members(_));
            Some(with_said(host, original, is_inner, text, name, through).ok_or(OTHER_FORM)?)
        }
        (None, _) => None,
    };
    let new = match (place, original.as_deref()) {
        (TablePlace::Tables(blocks) | TablePlace::Lines(blocks, _), Some(original)) => {
            // The last line of a file may have no end, and be the last one no more.
            let is_within = blocks.last().is_some_and(|last| last.end < text.len());
            let gap = if is_within && !original.ends_with('\n') { line_end(text) } else { "" };
            replaced(text, &blocks, &format!("{original}{gap}"))
        }
        (TablePlace::Value(span) | TablePlace::Members(span), Some(original)) => {
            format!("{}{original}{}", &text[..span.start], &text[span.end..])
        }
        (TablePlace::Value(span), None) => {
            let document = Document::parse(text).map_err(|_| WrapError::Changed)?;
            let servers = document.as_table().get(SERVERS).and_then(Item::as_inline_table);
            let key = servers.and_then(|servers| servers.key(name)?.span()).ok_or(WrapError::Changed)?;
            inline::taken_out(text, key.start, &span)
        }
        (TablePlace::Tables(mut blocks), None) => {
            // With the blank line that was put before it.
            let before = line_start(text, blocks[0].start.saturating_sub(1));
            if blocks[0].start > 0 && text[before..blocks[0].start].trim().is_empty() {
                blocks[0].start = before;
            }
            replaced(text, &blocks, "")
        }
        _ => return Err(WrapError::Changed),
    };
    Ok(format!("{mark}{}", only_changed(text, new, name)?))
}

/// Whether the entry starts what `through` does.
fn is_wrapped(text: &str, name: &str, through: &BridgeCommand) -> bool {
    let Some(root) = toml_value(text) else { return false };
    let entry = root.get(SERVERS).and_then(|servers| servers.get(name));
    entry.and_then(|entry| entry.get("command")?.as_str()) == Some(&*through.program)
}

/// What the file says beside the entry.
fn others(text: &str, name: &str) -> Option<Value> {
    let mut root = toml_value(text)?;
    if let Value::Object(members) = &mut root {
        for (key, value) in members.iter_mut() {
            if let (SERVERS, Value::Object(servers)) = (&**key, value) {
                servers.retain(|(key, _)| key != name);
            }
        }
        members.retain(|(key, value)| key != SERVERS || *value != Value::Object(Vec::new()));
    }
    Some(root)
}

/// Whether the bytes `original` stand at the entry `name`, or nothing does.
pub(super) fn has(host: &KnownHost, text: &str, name: &str, original: Option<&str>) -> bool {
    let (_, text) = marked(text);
    match (at(text, name, |word| !is_of_host(host, word)), original) {
        (Ok(TablePlace::Nowhere | TablePlace::NowhereIn(_)), None) => true,
        (Ok(TablePlace::Value(span) | TablePlace::Members(span)), Some(original)) => text[span] == *original,
        (Ok(TablePlace::Tables(blocks) | TablePlace::Lines(blocks, _)), Some(original)) => {
            blocks.iter().map(|range| &text[range.clone()]).collect::<String>() == original
        }
        _ => false,
    }
}
