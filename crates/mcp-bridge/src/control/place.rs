//! Where live sessions meet: in the same place, whatever the environment of the one who looks and of the one who
//! listens. A host that is started by a desktop has other variables than a terminal, and a sandbox has a runtime
//! directory of its own.

use std::path::{Path, PathBuf};

use mcp_files::{FileError, Links, check_private_dir, private_dir};

/// The directories of one account in which live sessions meet.
///
/// Short, because the path of a socket may have about 100 bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Places {
    listen: PathBuf,
    /// Where others may listen; looked at after `listen`.
    others: Vec<PathBuf>,
}

/// Where directories of accounts are.
struct Roots<'a> {
    run: &'a Path,
    temporary: &'a Path,
}

impl Places {
    /// Those of `program` for the account that this process acts as: in `/run/user/UID` where that exists and is ours, else a
    /// directory for this account in `/tmp`. Sessions that listen in `runtime` (`XDG_RUNTIME_DIR`) are looked for as well.
    /// Programs that want to see each other's sessions say the same name.
    pub fn of_account(program: &str, runtime: Option<&Path>) -> Self {
        Self::among(&Roots { run: Path::new("/run/user"), temporary: Path::new("/tmp") }, program, runtime)
    }

    /// This directory and no other one.
    pub fn only(directory: impl Into<PathBuf>) -> Self {
        Self { listen: directory.into(), others: Vec::new() }
    }

    fn among(roots: &Roots<'_>, program: &str, runtime: Option<&Path>) -> Self {
        // Without such numbers there is one account, and the directory of temporary files is its own.
        let account = mcp_files::account().map_or_else(|| "user".to_owned(), |account| account.to_string());
        let login = roots.run.join(&account);
        // `TMPDIR` differs between environments of one account, so it is not asked.
        let fixed = roots.temporary.join(format!("{program}-{account}"));
        let mut all = Vec::new();
        if check_private_dir(&login, Links::Refuse).is_ok() {
            all.push(login.join(program));
        }
        all.push(fixed);
        all.extend(runtime.filter(|runtime| runtime.is_absolute()).map(|runtime| runtime.join(program)));
        let listen = Self::only(all.remove(0));
        all.into_iter().fold(listen, Self::and)
    }

    /// With one more directory to look in.
    #[must_use]
    pub fn and(mut self, directory: impl Into<PathBuf>) -> Self {
        let directory = directory.into();
        if directory != self.listen && !self.others.contains(&directory) {
            self.others.push(directory);
        }
        self
    }

    /// Where a session of this process listens, and where connections are shared.
    pub fn listen(&self) -> &Path {
        &self.listen
    }

    /// The directory to listen in, made for this account alone.
    ///
    /// # Errors
    ///
    /// It cannot be made, is a link, or belongs to another account.
    pub fn made(directory: &Path) -> Result<(), FileError> {
        private_dir(directory, Links::Refuse)
    }

    /// The directories that are there and may be believed.
    ///
    /// Security: any account can make a directory of this name in `/tmp`, or a link. What is in a directory of another
    /// account, or in one that others can write to, is neither asked nor removed.
    pub(super) fn trusted(&self) -> Vec<&Path> {
        let all = std::iter::once(&self.listen).chain(&self.others);
        let judged = all.filter_map(|directory| match check_private_dir(directory, Links::Refuse) {
            Ok(()) => Some(directory.as_path()),
            Err(error) => {
                if !error.is_absent() {
                    tracing::warn!(directory = %directory.display(), %error, "sessions are not looked for here");
                }
                None
            }
        });
        judged.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    fn account() -> u32 {
        mcp_files::account().unwrap()
    }

    /// `run/UID` of this account in `home`.
    fn login(home: &Path) -> PathBuf {
        let login = home.join("run").join(account().to_string());
        private_dir(&login, Links::Refuse).unwrap();
        login
    }

    fn places(home: &Path, runtime: Option<&Path>) -> Places {
        Places::among(&Roots { run: &home.join("run"), temporary: home }, "mcplink", runtime)
    }

    #[test]
    fn s_n03_every_environment_of_an_account_listens_in_one_place_and_looks_in_all() {
        let home = tempfile::tempdir().unwrap();
        let fixed = home.path().join(format!("mcplink-{}", account()));
        let flatpak = Path::new("/run/user/7/app/x");
        assert_eq!(places(home.path(), None), Places::only(&fixed), "no runtime directory, no USER");
        let of_sandbox = places(home.path(), Some(flatpak));
        assert_eq!((of_sandbox.listen(), &*of_sandbox.others), (&*fixed, &[flatpak.join("mcplink")][..]));
        let ours = login(home.path()).join("mcplink");
        for runtime in [None, Some(flatpak), ours.parent(), Some(Path::new("relative"))] {
            let places = places(home.path(), runtime);
            assert_eq!(places.listen(), ours, "{runtime:?}");
            assert!(places.others.contains(&fixed) && !places.others.contains(&ours), "{places:?}");
        }
    }

    #[test]
    fn s_n03_a_login_directory_that_is_not_ours_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let login = login(home.path());
        let fixed = home.path().join(format!("mcplink-{}", account()));
        fs::set_permissions(&login, fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(places(home.path(), None).listen(), fixed);
        fs::set_permissions(&login, fs::Permissions::from_mode(0o700)).unwrap();
        assert_ne!(places(home.path(), None).listen(), fixed);
        if account() == 0 {
            chown(&login, Some(4242), None).unwrap();
            assert_eq!(places(home.path(), None).listen(), fixed);
        }
        fs::remove_dir(&login).unwrap();
        symlink(home.path(), &login).unwrap();
        assert_eq!(places(home.path(), None).listen(), fixed);
    }
}
