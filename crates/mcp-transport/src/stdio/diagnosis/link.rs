//! Links on the way to a program: where they lead, and which of them leads nowhere.
//!
//! The system says "no such file" of a link whose target is gone, and `ls` shows the link all the same. Upgrades and
//! uninstalled versions leave such links behind: `.venv/bin/python`, `~/.local/bin/x`, a folder `current`.

use super::{FileSystemView, PathKind, System};

/// How many links are followed one after the other; systems stop at 32 to 63.
const MAX_LINKS: usize = 40;

/// Where a link leads in the end.
#[derive(Clone, Debug, Eq, PartialEq)]
enum LinkEnd {
    /// Here.
    At(String),
    /// To a link that was on the way already.
    Circle,
}

/// The first link on the way to `path`, its last part included, that leads to nothing, in words; `None` where there is none.
pub(super) fn broken(path: &str, system: System, look: &dyn FileSystemView) -> Option<String> {
    let ends = path.char_indices().filter(|(at, c)| *at > 0 && system.is_slash(*c)).map(|(at, _)| at);
    ends.chain([path.len()]).map(|end| &path[..end]).find_map(|part| dangling(part, system, look))
}

/// What is wrong with `path`, where it is a link that leads to nothing.
pub(super) fn dangling(path: &str, system: System, look: &dyn FileSystemView) -> Option<String> {
    if look.at(path) != PathKind::Nothing {
        return None;
    }
    Some(match follow(path, system, look)? {
        LinkEnd::At(target) => format!("`{path}` is a link to `{target}`, which is not there"),
        LinkEnd::Circle => format!("`{path}` is a link that leads back to itself"),
    })
}

/// `path` for people, with where it leads if it is a link to something.
pub(super) fn shown(path: &str, system: System, look: &dyn FileSystemView) -> String {
    match follow(path, system, look) {
        Some(LinkEnd::At(target)) => format!("`{path}`, a link to `{target}`,"),
        _ => format!("`{path}`"),
    }
}

fn follow(path: &str, system: System, look: &dyn FileSystemView) -> Option<LinkEnd> {
    let mut at = next(path, system, look)?;
    for _ in 0..MAX_LINKS {
        match next(&at, system, look) {
            Some(further) => at = further,
            None => return Some(LinkEnd::At(at)),
        }
    }
    Some(LinkEnd::Circle)
}

/// Where the link `path` leads, as a whole path; what it says counts from the folder that it is in.
fn next(path: &str, system: System, look: &dyn FileSystemView) -> Option<String> {
    let target = look.link(path)?;
    if system.is_absolute(&target) {
        return Some(target);
    }
    let folder = path.rfind(|c| system.is_slash(c)).map_or("", |at| &path[..at]);
    Some(system.join(folder, target.strip_prefix("./").unwrap_or(&target)))
}
