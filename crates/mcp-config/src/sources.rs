//! Everything that a load reads, as a value. It reads through `project`, `program`, `plugin` and `env_file`, and the records
//! of decisions through `decision_file`; what comes after it in a load reads nothing. Files are written by `editor`, `wrap`
//! and `decision_file`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_files::{FileError, FileErrorKind, OpenPlaces, Policy};

mod managed;
mod pipes;

pub use pipes::Pipes;

use crate::address::Address;
use crate::env_file;
use crate::hosts::KnownHost;
use crate::never_read;
use crate::project::{canonical, stranger};
use crate::source::{Content, FilePurpose, Source};
use crate::{ConfigSource, Env, Locations, Platform, Project, plugin, trust};

/// How large the files of a project may be together, in bytes: they may have come with a clone, and there may be one in
/// every folder. A thousand entries take 0.3 MiB.
const MAX_PROJECT_BYTES: u64 = 4 * 1024 * 1024;
/// How large a file may be that is read only to say that it is not used, in bytes.
const MAX_UNUSED_BYTES: u64 = 1024 * 1024;
/// The longest file of the person or the administrator: hosts keep histories in the same file as servers.
const MAX_OWN_BYTES: u64 = 32 * 1024 * 1024;

/// What to load: the process's circumstances as values.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// The directory that the person is in.
    pub cwd: PathBuf,
    /// The environment.
    pub env: Env,
    /// Each `--mcp-config`: a path, or inline JSON (recognised by its `{`).
    pub mcp_config: Vec<String>,
    /// The servers that are given by their URLs.
    pub addresses: Vec<Address>,
    /// The pipes among them, where they were read before: a pipe can be read once, and a configuration is read often.
    pub pipes: Pipes,
    /// `--strict-mcp-config`: use nothing but what `mcp_config` supplies.
    pub strict: bool,
    /// The operating system whose conventions apply.
    pub platform: Platform,
    /// Replaces the administrator's directory. Never from the environment: that would be a way around the policy.
    pub managed_dir: Option<PathBuf>,
    /// Read the files of this host in the place of all others (`--from`).
    pub host: Option<&'static KnownHost>,
    /// The file of the running program, so that an entry that starts it by another name is known for a
    /// [`Pointer`](crate::Pointer); without it, only its name is.
    pub program: Option<PathBuf>,
    /// Fields of entries that the program [reads itself](Self::with_known_fields).
    pub known_fields: Vec<String>,
}

impl Request {
    /// A request without command-line configuration.
    pub fn new(cwd: impl Into<PathBuf>, env: Env) -> Self {
        Self {
            cwd: cwd.into(),
            env,
            mcp_config: Vec::new(),
            addresses: Vec::new(),
            pipes: Pipes::default(),
            strict: false,
            platform: Platform::CURRENT,
            managed_dir: None,
            host: None,
            program: None,
            known_fields: Vec::new(),
        }
    }

    /// With fields of entries that the program reads itself: [`ServerEntry::extra`](crate::ServerEntry::extra) has them, and no
    /// problem says that they are unknown. One that this crate reads is read by it all the same.
    #[must_use]
    pub fn with_known_fields(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.known_fields.extend(names.into_iter().map(Into::into));
        self
    }
}

fn is_inline(value: &str) -> bool {
    value.trim_start().starts_with('{')
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: an inline `--mcp-config` holds headers.
        f.debug_struct("Request")
            .field("cwd", &self.cwd)
            .field("env", &self.env)
            .field("mcp_config", &self.mcp_config.len())
            .field("addresses", &self.addresses)
            .field("strict", &self.strict)
            .finish_non_exhaustive()
    }
}

/// The files and arguments of one request, read.
#[derive(Clone)]
pub struct Sources {
    pub(crate) env: Env,
    pub(crate) strict: bool,
    pub(crate) locations: Locations,
    pub(crate) project: Project,
    /// The working directory of helpers that belong to the person and not to a project.
    pub(crate) person_dir: PathBuf,
    pub(crate) files: Vec<Source>,
    pub(crate) program: Option<PathBuf>,
    pub(crate) known_fields: Vec<String>,
    /// The host whose files are read in the place of all others.
    pub(crate) host: Option<&'static KnownHost>,
    /// How the files of variables that entries name are read: which ones is known when the entries are.
    pub(crate) read: env_file::FileReader,
}

impl Sources {
    /// Finds and reads everything that `request` needs. Never fails: what cannot be read is remembered as such.
    pub fn read(request: &Request) -> Self {
        let project = Project::find(&request.cwd);
        let mut locations = Locations::new(&request.env, &project.cwd, request.platform);
        if let Some(dir) = &request.managed_dir {
            locations.managed_dir.clone_from(dir);
        }
        let mut files = Vec::new();
        files.push(file(FilePurpose::Managed, locations.managed_file()));
        files.extend(managed::settings(&locations.managed_dir));
        files.extend(dynamic(request, &project.cwd));
        files.extend(locations.user_file.iter().map(|path| file(FilePurpose::User, path.clone())));
        let another = request.host.filter(|host| !host.is_read_anyway());
        if let Some(host) = another {
            let places = host.places_that_are_read(&request.env, &project, request.platform);
            files.extend(places.into_iter().map(|(place, path)| file(FilePurpose::Host(place), path)));
        } else {
            // A person with one file for both has it in the scope that other programs know.
            let own = locations.own_file.iter().filter(|path| locations.user_file.as_ref() != Some(path));
            files.extend(own.map(|path| file(FilePurpose::Own, path.clone())));
            files.extend(project_files(&project, &locations));
        }
        let user_settings = locations.config_dir.as_ref().map(|dir| dir.join("settings.json"));
        files.extend(user_settings.iter().map(|path| file(FilePurpose::UserSettings, path.clone())));
        for dir in project.settings_dirs() {
            let settings = dir.join(".claude/settings.json");
            // In the home directory both are one file, and it is the person's.
            if user_settings.as_ref().map(|path| canonical(path)) != Some(canonical(&settings)) {
                files.push(file(FilePurpose::ProjectSettings, settings));
            }
            files.push(file(FilePurpose::LocalSettings, dir.join(".claude/settings.local.json")));
        }
        files.extend(locations.decisions_file().map(|path| file(FilePurpose::Decisions, path)));
        for (why, path) in never_read::places(&locations, &project, &request.env) {
            if another.is_none() && !files.iter().any(|file| file.place.path() == Some(&path)) {
                files.push(file(FilePurpose::NeverRead(why), path));
            }
        }
        bound(&mut files);
        let mut places = OpenPlaces::default();
        let believed =
            |file: &&mut Source| file.role.is_believed() && matches!(file.content, Content::Text(_));
        for file in files.iter_mut().filter(believed) {
            file.open = file.place.path().and_then(|path| places.leading_to(path));
        }
        let person_dir = locations.config_dir.iter().chain(&locations.home).find(|dir| dir.is_dir());
        let person_dir = person_dir.unwrap_or(&project.cwd).clone();
        Self {
            env: request.env.clone(),
            strict: request.strict,
            locations,
            project,
            person_dir,
            files,
            program: request.program.clone(),
            known_fields: request.known_fields.clone(),
            host: request.host,
            read: env_file::read,
        }
    }

    /// What has to be looked at to notice that anything of this has changed.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        let read = self.files.iter().filter(|file| !matches!(file.role, FilePurpose::NeverRead(_)));
        let files = read.filter_map(|file| file.place.path().map(Path::to_owned));
        files.chain([managed::drop_ins(&self.locations.managed_dir)]).collect()
    }

    pub(crate) fn with_role(&self, role: FilePurpose) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(move |file| file.role == role)
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("project", &self.project)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// The file at `path`, read.
pub(crate) fn file(role: FilePurpose, path: PathBuf) -> Source {
    let content = read(role, &path);
    let foreign = match role {
        role if role.is_of_project() && content.is_there() => {
            path.parent().and_then(stranger).or_else(|| stranger(&path))
        }
        _ => None,
    };
    Source { foreign, ..Source::of(role, ConfigSource::File(path), content) }
}

/// Leaves out what is too much of a project's files, nearest first.
fn bound(files: &mut [Source]) {
    let mut left = MAX_PROJECT_BYTES;
    for file in files.iter_mut().filter(|file| file.role.is_of_project()) {
        let Content::Text(text) = &file.content else { continue };
        match left.checked_sub(text.len() as u64) {
            Some(rest) => left = rest,
            None => {
                let limit = MAX_PROJECT_BYTES >> 20;
                file.content =
                    Content::Unreadable(format!("the files of the project have more than {limit} MiB"));
            }
        }
    }
}

/// The `.mcp.json` files from the launch directory up to the root of the file system, nearest first.
fn project_files(project: &Project, locations: &Locations) -> Vec<Source> {
    let owners: Vec<u32> =
        locations.home.iter().chain([&project.root]).filter_map(|dir| owner(dir)).collect();
    let source = |dir: &Path| {
        let path = dir.join(".mcp.json");
        if !dir.starts_with(&project.root) && is_foreign(owner(&path), &owners) {
            let why = "it is outside of the project and belongs to another user".to_owned();
            return Source::of(FilePurpose::Project, ConfigSource::File(path), Content::Unreadable(why));
        }
        file(FilePurpose::Project, path)
    };
    project.cwd.ancestors().map(source).collect()
}

/// Whether a file of `owner` may not speak for a project below it.
///
/// Security: every account can write to `/tmp`, and a person who approves all project servers means those of
/// their projects. The superuser could do anything anyway.
fn is_foreign(owner: Option<u32>, owners: &[u32]) -> bool {
    owner.is_some_and(|owner| owner != 0 && !owners.is_empty() && !owners.contains(&owner))
}

/// The owner of a file, of the link where it is one; `None` where it does not exist or the system has no such number.
#[cfg(unix)]
fn owner(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).ok().map(|data| data.uid())
}

#[cfg(not(unix))]
fn owner(_: &Path) -> Option<u32> {
    None
}

/// What the command line gives: servers by their URLs, then the `--mcp-config` values, last one first: it wins.
fn dynamic(request: &Request, cwd: &Path) -> Vec<Source> {
    let source = |(index, value): (usize, &String)| {
        if is_inline(value) {
            return Source::of(
                FilePurpose::Dynamic,
                ConfigSource::Argument(index + 1),
                Content::Text(value.clone()),
            );
        }
        let path = cwd.join(value);
        let read_before = request.pipes.get(index).cloned();
        let content = match read_before.unwrap_or_else(|| read(FilePurpose::Dynamic, &path)) {
            // A file that was asked for by name is an error where it is missing.
            Content::Absent => Content::Unreadable(absent(value)),
            content => content,
        };
        // A pipe has a name that says nothing; a file is shown without the `..` that led to it.
        let shown = if path.is_file() { canonical(&path) } else { path };
        let place = ConfigSource::File(shown);
        let plugin = plugin::root(&place);
        Source { plugin, ..Source::of(FilePurpose::Dynamic, place, content) }
    };
    let given = Address::source(&request.addresses);
    given.into_iter().chain(request.mcp_config.iter().enumerate().map(source).rev()).collect()
}

/// Why there is nothing at this path: a host that starts a program asks no shell, which would have replaced a part of it.
fn absent(path: &str) -> String {
    let left = match path.as_bytes() {
        [b'~', ..] => "`~`",
        _ if path.contains('$') => "the variable",
        _ => return "there is no such file".to_owned(),
    };
    format!("there is no such file; a shell would have replaced {left}, and none did: write the path in full")
}

/// How long a pipe waits for its writer, and then for its end: a command in `<( )` may have to ask a
/// person first.
const PIPE_OPENS: Duration = Duration::from_secs(10);
const PIPE_ENDS: Duration = Duration::from_secs(60);

/// What a file of this role must be like to be read.
fn policy(role: FilePurpose) -> Policy {
    match role {
        role if role.is_of_project() => Policy::surroundings(MAX_PROJECT_BYTES),
        FilePurpose::NeverRead(_) => Policy::surroundings(MAX_UNUSED_BYTES),
        FilePurpose::Dynamic => Policy::named(MAX_OWN_BYTES),
        _ => Policy::surroundings(MAX_OWN_BYTES).owned(),
    }
}

/// Reads a text file.
pub(crate) fn read(role: FilePurpose, path: &Path) -> Content {
    let read = match role {
        FilePurpose::Decisions => trust::read(path),
        FilePurpose::Dynamic => mcp_files::read_within(path, &policy(role), PIPE_OPENS, PIPE_ENDS),
        _ => mcp_files::read(path, &policy(role)),
    };
    match read {
        Ok(bytes) => decode(bytes),
        // The rest of a person's files is somewhere else, not mounted or not linked yet.
        Err(error)
            if error.is_absent()
                && matches!(role, FilePurpose::Own | FilePurpose::User)
                && path.is_symlink() =>
        {
            let to = std::fs::read_link(path).map(|to| format!(" (to {})", to.display())).unwrap_or_default();
            Content::Unreadable(format!("it is a link that leads nowhere{to}"))
        }
        Err(error) if error.is_absent() => Content::Absent,
        Err(_) if mcp_files::is_withheld_from_owner(path) => Content::Unreadable(format!(
            "its permissions keep it from its owner: chmod u+r {}",
            mcp_text::shell_word(&path.to_string_lossy())
        )),
        Err(error) => Content::Unreadable(unreadable(&error)),
    }
}

fn unreadable(error: &FileError) -> String {
    match error.kind() {
        FileErrorKind::Io => format!("it cannot be read: {error}"),
        _ => error.to_string(),
    }
}

fn decode(bytes: Vec<u8>) -> Content {
    // What some Windows shells write by default; the message saves a long search.
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Content::Unreadable("it is UTF-16; save it as UTF-8".to_owned());
    }
    String::from_utf8(bytes).map_or_else(
        |error| {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
            Content::Unreadable(format!("line {line} is not valid UTF-8"))
        },
        Content::Text,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable_message(bytes: &[u8]) -> String {
        match decode(bytes.to_vec()) {
            Content::Unreadable(why) => why,
            _ => String::new(),
        }
    }

    #[test]
    fn texts_in_other_encodings_are_named() {
        assert_eq!(unreadable_message(b"\xff\xfe{\0}\0"), "it is UTF-16; save it as UTF-8");
        assert_eq!(unreadable_message(b"{\n\"a\": \"\xe4\"}"), "line 2 is not valid UTF-8");
        assert_eq!(unreadable_message("{\"ä\": 1}".as_bytes()), "");
    }

    #[test]
    fn a_directory_in_place_of_a_file_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            matches!(read(FilePurpose::Project, dir.path()), Content::Unreadable(why) if why == "it is a directory")
        );
        assert!(matches!(read(FilePurpose::Project, &dir.path().join("none")), Content::Absent));
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(read(FilePurpose::Project, &file.join("below")), Content::Absent));
    }

    #[test]
    fn files_of_strangers_above_the_project_do_not_count() {
        assert!(is_foreign(Some(1001), &[1000]));
        assert!(!is_foreign(Some(1000), &[500, 1000]));
        assert!(!is_foreign(Some(0), &[1000]), "the superuser is never a stranger");
        assert!(!is_foreign(None, &[1000]), "there is no file");
        assert!(!is_foreign(Some(1001), &[]), "it is not known who is asking");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_of_a_stranger_is_reported_and_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let base = canonical(dir.path());
        fs::create_dir(base.join("project")).unwrap();
        let file = base.join(".mcp.json");
        fs::write(&file, "{}").unwrap();
        // Only the superuser can give a file away; for other accounts the test above has to do.
        if std::os::unix::fs::chown(&file, Some(4242), None).is_err() {
            return;
        }
        let sources = Sources::read(&Request::new(base.join("project"), Env::from([("HOME", &base)])));
        let found = sources
            .with_role(FilePurpose::Project)
            .find(|source| source.place.path() == Some(&file))
            .unwrap();
        assert!(matches!(&found.content, Content::Unreadable(why) if why.contains("another user")));
    }

    #[test]
    fn a_text_that_was_given_is_no_file_that_is_left() {
        let mut request = Request::new("/", Env::default());
        request.mcp_config = vec!["{bad".to_owned()];
        let hints: Vec<_> =
            crate::Config::load(&request).problems.into_iter().filter_map(|problem| problem.hint).collect();
        assert_eq!(hints, ["correct what was given"]);
    }

    #[test]
    fn debug_shows_no_content() {
        let mut request = Request::new("/", Env::from([("TOKEN", "canary")]));
        request.mcp_config = vec!["{\"canary\": 1}".to_owned()];
        let sources = Sources::read(&request);
        let shown = format!("{request:?} {sources:?}");
        assert!(shown.contains("--mcp-config") && !shown.contains("canary"), "{shown}");
    }
}
