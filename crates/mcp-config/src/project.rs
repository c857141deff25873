//! Which project a directory belongs to: the git repository around it, found by walking up, without git.

use std::fs;
use std::path::{Path, PathBuf};

use mcp_files::{Owner, Policy, first_line};

/// The pointers of git hold one path each; the longest path that systems have is 32 KiB.
const POINTER: Policy = Policy::surroundings(32 * 1024);

/// The directory that a configuration is read for, and the repository around it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Project {
    /// The launch directory, absolute and without symbolic links.
    pub cwd: PathBuf,
    /// The root of the git repository, or the launch directory where there is none.
    pub root: PathBuf,
    /// The root of the main checkout: differs from `root` in a linked worktree.
    pub main_root: PathBuf,
    /// The other account that the root belongs to, where it does. What a person decided about a folder of this name
    /// then counts only if it was that account's already.
    pub(crate) foreign: Option<u32>,
}

impl Project {
    /// Finds the project around `cwd`.
    pub fn find(cwd: &Path) -> Self {
        let cwd = canonical(cwd);
        let root = cwd.ancestors().find_map(|dir| Some((dir, checkout(dir)?)));
        let (root, main_root) = match root {
            None => (cwd.clone(), cwd.clone()),
            Some((root, Checkout::Main)) => (root.to_owned(), root.to_owned()),
            Some((root, Checkout::Linked { main })) => (root.to_owned(), main),
        };
        Self { foreign: stranger(&root), root, main_root, cwd }
    }

    /// The folder that trust and approvals are given to: the root of the main checkout, whose worktrees share them.
    pub fn trust_folder(&self) -> &Path {
        &self.main_root
    }

    /// The other account that the root belongs to, where it does.
    pub fn foreign_owner(&self) -> Option<u32> {
        self.foreign
    }

    /// The directories whose `projects` entries belong to this project, nearest first.
    pub(crate) fn roots(&self) -> Vec<&Path> {
        let mut roots = vec![self.root.as_path()];
        if self.main_root != self.root {
            roots.push(&self.main_root);
        }
        roots
    }

    /// The folders that a person is in, each after those around it: the main checkout's, the checkout's, and the launch directory's.
    pub(crate) fn around(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> = Vec::new();
        for base in [&self.main_root, &self.root, &self.cwd] {
            let above: Vec<&Path> = base.ancestors().collect();
            for folder in above.into_iter().rev() {
                if !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        folders
    }

    /// The directories whose `.claude` settings belong to this project.
    pub(crate) fn settings_dirs(&self) -> Vec<&Path> {
        let mut dirs = vec![self.root.as_path()];
        if self.cwd != self.root {
            dirs.push(&self.cwd);
        }
        dirs
    }
}

enum Checkout {
    Main,
    Linked { main: PathBuf },
}

/// The other account that `path` belongs to, of the link or of what it leads to, where it is another one.
pub(crate) fn stranger(path: &Path) -> Option<u32> {
    let target = fs::metadata(path).ok().map(|found| Owner::of_metadata(&found));
    [Owner::of(path), target].into_iter().flatten().find_map(|owner| match owner {
        Owner::Other(account) => Some(account),
        _ => None,
    })
}

/// What `dir/.git` makes of `dir`, if anything (gitrepository-layout).
///
/// Security: a repository that another account made is not one of ours, as for git itself (`safe.directory`): any account can
/// put one above every account that works below `/tmp`, and any account can write a worktree's pointer.
fn checkout(dir: &Path) -> Option<Checkout> {
    let git = dir.join(".git");
    if stranger(&git).is_some() || stranger(dir).is_some() {
        return None;
    }
    let kind = fs::metadata(&git).ok()?;
    if kind.is_dir() {
        // An empty `.git` directory is not a repository, for git neither.
        return git.join("HEAD").exists().then_some(Checkout::Main);
    }
    let pointer = read_line(&git)?;
    let git_dir = dir.join(pointer.strip_prefix("gitdir:")?.trim());
    Some(match main_checkout(&git, &git_dir) {
        Some(main) if stranger(&main).is_none() => Checkout::Linked { main },
        // A submodule, a separate git directory, or a pointer without a confirmation: a root by itself.
        _ => Checkout::Main,
    })
}

/// The main checkout of a linked worktree.
///
/// Security: trust in the main checkout covers its worktrees, and the `.git` file of a directory is
/// written by the maker of the directory. So the claim counts only if the main repository, which an
/// outsider cannot write, lists this worktree and points back to it, as git itself does.
fn main_checkout(git_file: &Path, git_dir: &Path) -> Option<PathBuf> {
    let git_dir = fs::canonicalize(git_dir).ok()?;
    let common = fs::canonicalize(git_dir.join(read_line(&git_dir.join("commondir"))?)).ok()?;
    let listed = git_dir.parent() == Some(&common.join("worktrees"));
    let back = git_dir.join(read_line(&git_dir.join("gitdir"))?);
    let confirmed = fs::canonicalize(back).ok()? == fs::canonicalize(git_file).ok()?;
    let main = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git"))?;
    (listed && confirmed).then(|| without_verbatim_prefix(main.to_owned()))
}

/// Security: any account can make a `.git` in `/tmp`, above all that work there.
fn read_line(path: &Path) -> Option<String> {
    first_line(path, &POINTER).ok()
}

/// `path` without symbolic links, or as it is where it does not exist.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    fs::canonicalize(path).map_or_else(|_| path.to_owned(), without_verbatim_prefix)
}

/// Windows returns `\\?\C:\..`, which no configuration file spells that way.
fn without_verbatim_prefix(path: PathBuf) -> PathBuf {
    let plain = path.to_str().and_then(|text| text.strip_prefix(r"\\?\")).map(PathBuf::from);
    plain.filter(|plain| plain.is_absolute()).unwrap_or(path)
}

/// A path as a key of `projects`: hosts on Windows have written the drive letter in both cases and
/// slashes of both kinds, so keys are compared in one spelling.
pub(crate) fn project_key(path: &str) -> String {
    let bytes = path.as_bytes();
    let drive = bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':';
    let mut key = if drive {
        let (letter, rest) = path.split_at(1);
        letter.to_ascii_lowercase() + &rest.replace('\\', "/")
    } else if path.starts_with(r"\\") {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    };
    while key.len() > 1 && key.ends_with('/') && !key.ends_with(":/") {
        key.pop();
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn temp() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = canonical(dir.path());
        (dir, path)
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A repository in `base/main` with a linked worktree in `base/tree`.
    fn worktree(base: &Path) {
        write(&base.join("main/.git/HEAD"), "ref: refs/heads/main\n");
        let entry = base.join("main/.git/worktrees/tree");
        write(&entry.join("commondir"), "../..\n");
        write(&entry.join("gitdir"), &format!("{}\n", base.join("tree/.git").display()));
        write(&base.join("tree/.git"), &format!("gitdir: {}\n", entry.display()));
    }

    #[test]
    fn a_directory_without_repository_is_its_own_project() {
        let (_keep, base) = temp();
        // An empty `.git` makes no repository.
        fs::create_dir_all(base.join("a/.git")).unwrap();
        fs::create_dir_all(base.join("a/b")).unwrap();
        let project = Project::find(&base.join("a/b"));
        assert_eq!(project.root, base.join("a/b"));
        assert_eq!(project.roots(), [base.join("a/b")]);
    }

    #[test]
    fn the_repository_root_is_found_from_below() {
        let (_keep, base) = temp();
        write(&base.join("r/.git/HEAD"), "ref: refs/heads/main\n");
        fs::create_dir_all(base.join("r/x/y")).unwrap();
        let project = Project::find(&base.join("r/x/y"));
        assert_eq!((project.root, project.main_root), (base.join("r"), base.join("r")));
        assert_eq!(project.cwd, base.join("r/x/y"));
    }

    #[test]
    fn f134_a_linked_worktree_knows_its_main_checkout() {
        let (_keep, base) = temp();
        worktree(&base);
        let project = Project::find(&base.join("tree"));
        assert_eq!(project.root, base.join("tree"));
        assert_eq!(project.main_root, base.join("main"));
    }

    #[test]
    fn a_worktree_that_the_main_repository_does_not_list_is_on_its_own() {
        let (_keep, base) = temp();
        worktree(&base);
        // A directory that claims to be the worktree `tree` of a repository that points elsewhere.
        let entry = base.join("main/.git/worktrees/tree");
        write(&base.join("thief/.git"), &format!("gitdir: {}\n", entry.display()));
        let thief = Project::find(&base.join("thief"));
        assert_eq!(thief.main_root, base.join("thief"));
        // A directory that brings its own worktree entry along.
        write(&base.join("fake/.git"), "gitdir: own\n");
        write(&base.join("fake/own/commondir"), &base.join("main/.git").display().to_string());
        write(&base.join("fake/own/gitdir"), &base.join("fake/.git").display().to_string());
        let fake = Project::find(&base.join("fake"));
        assert_eq!(fake.main_root, base.join("fake"));
    }

    #[test]
    fn a_submodule_is_a_project_of_its_own() {
        let (_keep, base) = temp();
        write(&base.join("r/.git/HEAD"), "ref\n");
        write(&base.join("r/.git/modules/sub/HEAD"), "ref\n");
        write(&base.join("r/sub/.git"), "gitdir: ../.git/modules/sub\n");
        let project = Project::find(&base.join("r/sub"));
        assert_eq!((project.root, project.main_root), (base.join("r/sub"), base.join("r/sub")));
    }

    #[test]
    fn project_keys_have_one_spelling() {
        for (path, key) in [
            ("/home/me/app", "/home/me/app"),
            ("/home/me/app/", "/home/me/app"),
            ("/", "/"),
            (r"C:\Users\me\app", "c:/Users/me/app"),
            ("c:/Users/me/app/", "c:/Users/me/app"),
            (r"C:\", "c:/"),
            (r"\\server\share\x", "//server/share/x"),
            (r"/odd\name", r"/odd\name"),
        ] {
            assert_eq!(project_key(path), key);
        }
        assert_eq!(without_verbatim_prefix(PathBuf::from("/a")), Path::new("/a"));
    }
}
