//! Circles of imports between the files of a crate, as the table in ARCHITECTURE.md counts them: they may only shrink.
//!
//! A file imports another one where its code names something that is defined there, also by way of a module that passes
//! the name on (`pub use`). A file and the files in the folder of its name are one room: what goes on between a module
//! and its own submodules is no circle. Tests do not count.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use crate::Problems;
use crate::lexer::{Kind, Token};
use crate::shell::root;
use crate::sources::Source;

/// The header of the table in ARCHITECTURE.md that this file reads.
const HEADER: &str = "| circles in | modules of each | why they stay |";

/// The path of a module in its crate; empty for the root.
type Path = Vec<String>;

/// How often a name is followed from one `use` to the next.
const MAX_HOPS: usize = 8;

/// Compares what is found with the table.
pub(super) fn check(sources: &[Source]) -> Result<Problems, Problems> {
    let document = fs::read_to_string(root().join("ARCHITECTURE.md"))
        .map_err(|error| vec![format!("ARCHITECTURE.md cannot be read: {error}")])?;
    let mut problems = Problems::new();
    let mut table = read_table(&document)?;
    let crates: BTreeSet<&str> = sources.iter().map(Source::crate_name).collect();
    for name in crates.into_iter().filter(|name| *name != "xtask") {
        let found = Crate::read(sources.iter().filter(|source| source.crate_name() == name));
        let (circles, allowed) = (found.circles(), table.remove(name).unwrap_or_default());
        if let Some(problem) = compare(name, &circles, &allowed) {
            problems.push(problem + &found.show(&circles));
        }
    }
    problems.extend(
        table.keys().map(|name| format!("ARCHITECTURE.md counts circles of {name}, which is not here")),
    );
    Ok(problems)
}

/// The sizes of the circles of each crate, the largest first.
fn read_table(document: &str) -> Result<BTreeMap<String, Vec<usize>>, Problems> {
    let rows =
        document.lines().skip_while(|line| *line != HEADER).skip(2).take_while(|row| row.starts_with('|'));
    let read = |row: &str| {
        let cells: Vec<&str> = row.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [name, sizes, _] = cells[..] else { return None };
        let sizes = sizes.split(',').map(|size| size.trim().parse().ok()).collect::<Option<Vec<usize>>>()?;
        Some((name.trim_matches('`').to_owned(), sizes))
    };
    let table = rows
        .map(|row| read(row).ok_or_else(|| vec![format!("ARCHITECTURE.md: no row of three cells: {row}")]))
        .collect::<Result<BTreeMap<_, _>, _>>()?;
    if table.is_empty() {
        return Err(vec![format!("ARCHITECTURE.md has no table that begins with {HEADER:?}")]);
    }
    Ok(table)
}

fn compare(name: &str, circles: &[Vec<Path>], allowed: &[usize]) -> Option<String> {
    let found: Vec<usize> = circles.iter().map(Vec::len).collect();
    (found != allowed).then(|| {
        format!(
            "{name} has circles of {found:?} modules, and ARCHITECTURE.md has {allowed:?}: break the new ones, or write \
             down that there are fewer"
        )
    })
}

/// One `use`, spread out: the path, and the name that it gives.
#[derive(Debug, Eq, PartialEq)]
struct Import {
    path: Path,
    name: String,
    is_passed_on: bool,
}

/// What the files of one crate name.
struct Crate {
    modules: BTreeMap<Path, FileNames>,
}

/// What one file names, by absolute paths.
#[derive(Default)]
struct FileNames {
    /// What its `use` declarations make of a name.
    uses: HashMap<String, Path>,
    paths: Vec<Path>,
}

impl Crate {
    fn read<'a>(sources: impl Iterator<Item = &'a Source>) -> Self {
        let files: Vec<(Path, &[Token])> = sources
            .filter(|source| source.is_shipped() && !source.path.contains("/tests/"))
            .filter_map(|source| Some((module(&source.path)?, &*source.tokens)))
            .collect();
        let known: BTreeSet<Path> = files.iter().map(|(path, _)| path.clone()).collect();
        let of_tests: BTreeSet<Path> =
            files.iter().flat_map(|(path, tokens)| test_modules(path, tokens)).collect();
        let shipped = files.iter().filter(|(path, _)| !of_tests.iter().any(|test| path.starts_with(test)));
        let modules = shipped.map(|(path, tokens)| (path.clone(), named(path, tokens, &known))).collect();
        Self { modules }
    }

    /// The module that defines what `path` leads to.
    fn home(&self, path: &Path, hops: usize) -> Option<Path> {
        let length = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        let next = rest.first().and_then(|name| self.modules[module].uses.get(name));
        match next {
            Some(target) if target != path && hops > 0 => {
                let further = target.iter().chain(&rest[1..]).cloned().collect();
                self.home(&further, hops - 1)
            }
            _ => Some(module.to_vec()),
        }
    }

    fn imports(&self) -> BTreeMap<&Path, BTreeSet<Path>> {
        let of = |module: &Path, named: &FileNames| {
            let homes = named.paths.iter().filter_map(|path| self.home(path, MAX_HOPS));
            homes.filter(|home| !home.starts_with(module) && !module.starts_with(home)).collect()
        };
        self.modules.iter().map(|(module, named)| (module, of(module, named))).collect()
    }

    /// What the modules of each circle import of each other.
    fn show(&self, circles: &[Vec<Path>]) -> String {
        let imports = self.imports();
        let line = |module: &Path, circle: &Vec<Path>| {
            let others = imports[module].iter().filter(|other| circle.contains(other));
            let others: Vec<String> = others.map(|other| other.join("::")).collect();
            format!("\n    {} imports {}", module.join("::"), others.join(", "))
        };
        circles.iter().flat_map(|circle| circle.iter().map(move |module| line(module, circle))).collect()
    }

    /// The circles, the largest first.
    fn circles(&self) -> Vec<Vec<Path>> {
        let imports = self.imports();
        let reach = |from: &Path| {
            let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
            while let Some(module) = next.pop() {
                next.extend(imports[module].iter().filter(|target| seen.insert((*target).clone())));
            }
            seen
        };
        let reached: BTreeMap<&Path, BTreeSet<Path>> =
            imports.keys().map(|module| (*module, reach(module))).collect();
        let mut circles: Vec<Vec<Path>> = Vec::new();
        for (module, seen) in reached.iter().filter(|(module, seen)| seen.contains(**module)) {
            if !circles.iter().any(|circle| circle.contains(module)) {
                circles.push(seen.iter().filter(|other| reached[other].contains(*module)).cloned().collect());
            }
        }
        circles.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
        circles
    }
}

/// The module that a file is; `None` for a program.
fn module(path: &str) -> Option<Path> {
    let (_, inside) = path.split_once("/src/")?;
    let mut parts: Path = inside.strip_suffix(".rs")?.split('/').map(str::to_owned).collect();
    match parts.last().map(String::as_str) {
        Some("mod") => drop(parts.pop()),
        Some("lib") if parts.len() == 1 => parts.clear(),
        Some("main") if parts.len() == 1 => return None,
        _ => {}
    }
    Some(parts)
}

/// The modules that a file declares for tests alone.
fn test_modules(path: &Path, tokens: &[Token]) -> Vec<Path> {
    let declared = |at: usize| {
        let after = end_of_test_attribute(tokens, at)?;
        let declaration = &tokens[after..];
        let name =
            declaration.iter().position(|token| token.text == "mod").filter(|position| *position < 5)?;
        let name = declaration.get(name + 1)?.text.clone();
        Some(path.iter().cloned().chain([name]).collect())
    };
    (0..tokens.len()).filter_map(declared).collect()
}

/// Where `#[cfg(… test …)]` at this place ends.
fn end_of_test_attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let texts = tokens[at..].iter().map(|token| token.text.as_str());
    if !texts.take(3).eq(["#", "[", "cfg"]) {
        return None;
    }
    let length = tokens[at..].iter().position(|token| token.text == "]")?;
    tokens[at..at + length].iter().any(|token| token.text == "test").then_some(at + length + 1)
}

/// Where the `use` or `mod` at this place ends; `None` where something else is declared.
fn end_of_declaration(tokens: &[Token], at: usize) -> Option<usize> {
    let texts = || tokens[at..].iter().map(|token| &*token.text);
    let word = texts().position(|text| ["use", "mod"].contains(&text)).filter(|position| *position < 5)?;
    let is_use = texts().nth(word) == Some("use");
    let mut depth = 0_usize;
    let ends = |token: &Token| {
        // A literal may be a brace as well.
        let is = |mark: &str| token.kind == Kind::Mark && token.text == mark;
        if is("{") {
            depth += 1;
        } else if is("}") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && (is(";") || is("}") && !is_use)
    };
    tokens[at..].iter().position(ends).map(|length| at + length + 1)
}

fn named(module: &Path, tokens: &[Token], known: &BTreeSet<Path>) -> FileNames {
    let mut named = FileNames::default();
    // Modules within the file, and how deep their braces are.
    let mut inside: Vec<(usize, String)> = Vec::new();
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(token) = tokens.get(at) {
        let (is_word, is_mark) = (token.kind == Kind::Word, token.kind == Kind::Mark);
        let text_at = |at: usize| tokens.get(at).map_or("", |token: &Token| &*token.text);
        if let Some(after) = end_of_test_attribute(tokens, at) {
            at = end_of_declaration(tokens, after).unwrap_or(after);
            continue;
        }
        let scope = || -> Path {
            module.iter().cloned().chain(inside.iter().map(|(_, name)| name.clone())).collect()
        };
        match &*token.text {
            "mod" if is_word && text_at(at + 2) == "{" => inside.push((depth, text_at(at + 1).to_owned())),
            "{" if is_mark => depth += 1,
            "}" if is_mark => {
                depth = depth.saturating_sub(1);
                inside.retain(|(outer, _)| *outer < depth);
            }
            "use" if is_word && (at == 0 || text_at(at - 1) != "+") => {
                let is_passed_on = at > 0 && ["pub", ")"].contains(&text_at(at - 1));
                let end = at + tokens[at..].iter().position(|token| token.text == ";").unwrap_or(0);
                for import in spread(&tokens[at + 1..end.max(at + 1)], is_passed_on) {
                    let Some(path) = absolute(&scope(), &import.path, known) else { continue };
                    if !import.is_passed_on {
                        named.paths.push(path.clone());
                    }
                    named.uses.insert(import.name, path);
                }
                at = end.max(at);
            }
            _ if is_word && text_at(at + 1) == ":" && text_at(at + 2) == ":" => {
                let mut path = vec![token.text.clone()];
                while text_at(at + 1) == ":" && text_at(at + 2) == ":" {
                    let Some(next) = tokens.get(at + 3).filter(|token| token.kind == Kind::Word) else {
                        break;
                    };
                    path.push(next.text.clone());
                    at += 3;
                }
                match named.uses.get(&path[0]) {
                    Some(used) => named.paths.push(used.iter().chain(&path[1..]).cloned().collect()),
                    None => named.paths.extend(absolute(&scope(), &path, known)),
                }
            }
            _ => {}
        }
        at += 1;
    }
    named
}

/// The path from the root of the crate; `None` where it leads out of the crate.
fn absolute(scope: &Path, path: &Path, known: &BTreeSet<Path>) -> Option<Path> {
    let first = path.first()?;
    match &**first {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some(scope.iter().chain(&path[1..]).cloned().collect()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            let kept = scope.len().checked_sub(ups)?;
            Some(scope[..kept].iter().chain(&path[ups..]).cloned().collect())
        }
        _ => {
            let below: Path = scope.iter().chain([first]).cloned().collect();
            known.contains(&below).then(|| scope.iter().chain(path).cloned().collect())
        }
    }
}

/// The paths of a `use`, without its word and its semicolon.
fn spread(tokens: &[Token], is_passed_on: bool) -> Vec<Import> {
    let mut imports = Vec::new();
    let (mut outer, mut path): (Vec<Path>, Path) = (Vec::new(), Path::new());
    let mut alias: Option<String> = None;
    let mut end = |path: &mut Path, alias: &mut Option<String>, outer: &[Path]| {
        let base = outer.last().cloned().unwrap_or_default();
        if path.len() > base.len() {
            if path.last().is_some_and(|name| name == "self") {
                path.pop();
            }
            let name = alias.take().or_else(|| path.last().cloned()).unwrap_or_default();
            imports.push(Import { path: path.clone(), name, is_passed_on });
        }
        *path = base;
    };
    let mut words = tokens.iter();
    while let Some(token) = words.next() {
        match &*token.text {
            "{" => outer.push(path.clone()),
            "," => end(&mut path, &mut alias, &outer),
            "}" => {
                end(&mut path, &mut alias, &outer);
                outer.pop();
                // What follows a group is a comma or the end, so nothing is left of this path.
                path = outer.last().cloned().unwrap_or_default();
            }
            "as" => alias = words.next().map(|name| name.text.clone()),
            ":" => {}
            text => path.push(text.to_owned()),
        }
    }
    end(&mut path, &mut alias, &[]);
    imports
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circles(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(path, text)| Source::new(&format!("crates/x/src/{path}.rs"), text).unwrap())
            .collect();
        let found = Crate::read(sources.iter()).circles();
        found.iter().map(|circle| circle.iter().map(|path| path.join("::")).collect()).collect()
    }

    #[test]
    fn a_circle_is_found_however_the_names_are_written() {
        for (one, two) in [
            ("use crate::b::B;", "use crate::a::A;"),
            ("use crate::{b::{self, B as C}, c};", "fn f() -> crate::a::A {}"),
            ("use super::b::*;", "use super::{a::A, c::D};"),
            // By way of names that the root passes on.
            ("use crate::B;", "use crate::A;"),
            ("use crate::b; fn f() { b::g() }", "use crate::a; const C: u8 = a::C;"),
        ] {
            let root = "pub use a::A; pub use b::B; mod a; mod b; mod c;";
            let found = circles(&[("lib", root), ("a", one), ("b", two), ("c", "")]);
            assert_eq!(found, [["a", "b"]], "{one} / {two}");
        }
    }

    #[test]
    fn one_direction_is_no_circle_and_neither_is_a_module_with_its_own_parts() {
        let root = "mod a; mod b; pub use b::B;";
        assert!(circles(&[("lib", root), ("a", "use crate::b::B;"), ("b", "")]).is_empty());
        // To pass a name on is to import nothing.
        assert!(
            circles(&[("lib", root), ("a", "pub use crate::b::B;"), ("b", "use crate::a::A;")]).is_empty()
        );
        assert!(
            circles(&[("lib", ""), ("a", "use self::b::B; mod b;"), ("a/b", "use super::A;")]).is_empty()
        );
        assert!(
            circles(&[("lib", ""), ("a", "use std::b::B;"), ("b", "use a_crate::a::A; use crate::a::A;")])
                .is_empty()
        );
        let siblings = [("a/b", "use super::c::C;"), ("a/c", "fn f(b: super::b::B) {}")];
        assert_eq!(circles(&siblings), [["a::b", "a::c"]]);
    }

    #[test]
    fn tests_make_no_circle() {
        let tested = "use crate::b::B;\n#[cfg(test)]\nuse crate::b::C;\n#[cfg(test)]\nmod tests { const A: &str = \"}\"; use crate::b::B; }";
        assert!(
            circles(&[("a", "#[cfg(test)] use crate::b::B; fn f() {}"), ("b", "use crate::a::A;")])
                .is_empty()
        );
        let without = tested.split_once('\n').unwrap().1;
        assert!(circles(&[("a", without), ("b", "use crate::a::A;")]).is_empty());
        assert_eq!(circles(&[("a", tested), ("b", "use crate::a::A;")]).len(), 1);
        let fake = "#[cfg(any(test, feature = \"x\"))] pub(crate) mod fake;";
        assert!(
            circles(&[("lib", fake), ("fake", "use crate::b::B;"), ("b", "use crate::fake::A;")]).is_empty()
        );
    }

    #[test]
    fn the_table_counts_them_and_fewer_are_to_be_written_down() {
        let table = read_table(&format!("{HEADER}\n|---|---|---|\n| `x` | 3, 2 | y |\n")).unwrap();
        assert_eq!(table["x"], [3, 2]);
        assert!(read_table("no table").is_err());
        assert!(read_table(&format!("{HEADER}\n|---|---|---|\n| `x` | many | y |\n")).is_err());
        let circle =
            |names: &[&str]| names.iter().map(|name| vec![(*name).to_owned()]).collect::<Vec<Path>>();
        let found = [circle(&["a", "b", "c"]), circle(&["d", "e"])];
        assert_eq!(compare("x", &found, &table["x"]), None);
        assert!(compare("x", &found[..1], &table["x"]).is_some());
        assert!(compare("x", &found, &[3]).is_some());
    }
}
