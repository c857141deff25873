//! Whether the homes of decisions are there: what the second column of the table in ARCHITECTURE.md names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::Problems;
use crate::lexer::Kind;
use crate::shell::root;
use crate::sources::Source;

/// The header of the table.
const HEADER: &str = "| decision | lives in | elsewhere forbidden |";
/// What stands before a name where it is defined.
const DEFINES: [&str; 8] = ["fn", "mod", "struct", "enum", "trait", "type", "const", "static"];

/// Checks every path of modules and items in the table against the sources.
pub(super) fn check(sources: &[Source]) -> Result<Problems, Problems> {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md"))
        .map_err(|error| vec![format!("ARCHITECTURE.md cannot be read: {error}")])?;
    let homes = read_table(&document);
    if homes.is_empty() {
        return Err(vec![format!("ARCHITECTURE.md has no table that begins with {HEADER:?}")]);
    }
    let crates = crates(sources);
    Ok(homes.iter().filter_map(|home| missing(home, &crates)).collect())
}

/// Where a decision is said to live.
#[derive(Debug, Eq, PartialEq)]
struct Home {
    package: String,
    path: Vec<String>,
}

fn read_table(document: &str) -> Vec<Home> {
    let rows =
        document.lines().skip_while(|line| *line != HEADER).skip(2).take_while(|row| row.starts_with('|'));
    rows.filter_map(|row| row.split('|').nth(2)).flat_map(homes_in).collect()
}

/// `mcp-a::b::{c, d}`, and `e::f` after it in the same crate. A file, a crate and a type of elsewhere are prose.
fn homes_in(cell: &str) -> Vec<Home> {
    let mut homes = Vec::new();
    let mut package = None;
    for name in cell.split('`').skip(1).step_by(2).filter(|name| !name.contains('/')) {
        let (first, rest) = name.split_once("::").unwrap_or((name, ""));
        let path = if first.starts_with("mcp-") || first.starts_with("mcp_") {
            package = Some(first.replace('_', "-"));
            rest
        } else {
            name
        };
        let is_path = path != name || path.contains("::") && path.starts_with(char::is_lowercase);
        let (Some(package), true) = (&package, is_path && !path.is_empty()) else { continue };
        let (stem, ends) = path.split_once('{').unwrap_or((path, ""));
        let ends: Vec<&str> = ends.trim_end_matches('}').split(',').map(str::trim).collect();
        for end in ends {
            let whole = format!("{stem}{end}");
            let path = whole.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            homes.push(Home { package: package.clone(), path });
        }
    }
    homes
}

/// What a crate has.
#[derive(Default)]
struct Contents {
    modules: BTreeSet<Vec<String>>,
    defined: BTreeSet<String>,
    words: BTreeSet<String>,
}

fn crates(sources: &[Source]) -> BTreeMap<String, Contents> {
    let mut crates: BTreeMap<String, Contents> = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_shipped()) {
        let contents = crates.entry(source.crate_name().to_owned()).or_default();
        let inner = source.path.split_once("/src/").map_or("", |(_, inner)| inner);
        let inner = inner.trim_end_matches(".rs").trim_end_matches("/mod");
        contents.modules.insert(inner.split('/').map(str::to_owned).collect());
        let words = source.tokens.iter().filter(|token| token.kind == Kind::Word);
        contents.words.extend(words.map(|token| token.text.clone()));
        let defined = source.tokens.windows(2).filter(|pair| DEFINES.contains(&pair[0].text.as_str()));
        contents.defined.extend(defined.map(|pair| pair[1].text.clone()));
    }
    crates
}

fn missing(home: &Home, crates: &BTreeMap<String, Contents>) -> Option<String> {
    let Home { package, path } = home;
    let problem = || Some(format!("ARCHITECTURE.md: {package} has no {}", path.join("::")));
    let Some(contents) = crates.get(package) else { return problem() };
    let depth =
        (0..=path.len()).rev().find(|depth| *depth == 0 || contents.modules.contains(&path[..*depth]));
    let mut is_type = false;
    for part in &path[depth.unwrap_or(0)..] {
        // Members of a type are defined in many ways, and a variant in none of its own.
        let is_there = match is_type || part.starts_with(char::is_uppercase) {
            true => contents.words.contains(part),
            false => contents.defined.contains(part),
        };
        is_type |= part.starts_with(char::is_uppercase);
        if !is_there {
            return problem();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_a_module_an_item_or_a_member_of_a_type() {
        let source = |path, text| Source::new(path, text).unwrap();
        let crates = crates(&[
            source("crates/mcp-a/src/b.rs", "pub fn f() {} enum T { V } struct S { field: u8 }"),
            source("crates/mcp-a/src/b/c/mod.rs", "use other::elsewhere;"),
        ]);
        for (cell, is_there) in [
            ("`mcp-a::b` (a remark), `b::c`", true),
            ("`mcp_a::b::{c, f}`", true),
            ("`mcp-a::T::V`, `mcp-a::S::field`", true),
            ("`mcp-a`, over `Other::thing` in `some/file.rs`", true),
            ("`mcp-a::d`", false),
            ("`mcp-a::b::elsewhere`", false),
            ("`mcp-a::b`, `b::d`", false),
            ("`mcp-a::{b, d}`", false),
            ("`mcp-a::T::Other`", false),
            ("`mcp-x::b`", false),
        ] {
            let table = format!("{HEADER}\n|---|---|---|\n| who | {cell} | – |\n");
            let homes = read_table(&table);
            assert_eq!(
                homes.iter().all(|home| missing(home, &crates).is_none()),
                is_there,
                "{cell}: {homes:?}"
            );
        }
    }
}
