//! The keyring of the operating system.
//!
//! macOS and Windows through `keyring-core` and its native stores (two and three crates). For the Secret
//! Service of Linux and the BSDs those crates bring a D-Bus client with a second async runtime and second versions of
//! several libraries, some fifty crates in all; `secret-tool`, which comes with libsecret, does the
//! same for none. It gets secrets on stdin and never as an argument, which other processes could read.

use std::sync::Arc;

use super::Vault;

/// The vault of this system for the secrets of `service`.
pub(super) fn vault(service: String) -> Arc<dyn Vault> {
    #[cfg(any(target_os = "macos", windows))]
    return Arc::new(native::NativeVault::new(service));
    #[cfg(not(any(target_os = "macos", windows)))]
    return Arc::new(tool::SecretTool::new("secret-tool", service));
}

#[cfg(any(target_os = "macos", windows))]
mod native {
    #[cfg(target_os = "macos")]
    use apple_native_keyring_store::keychain::Store;
    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};
    #[cfg(windows)]
    use windows_native_keyring_store::Store;

    use super::super::pieces::VaultError;
    use super::Vault;
    use crate::Secret;

    #[derive(Debug)]
    pub(super) struct NativeVault {
        service: String,
    }

    impl NativeVault {
        pub(super) fn new(service: String) -> Self {
            Self { service }
        }

        fn entry(&self, name: &str) -> Result<Entry, VaultError> {
            let store = Store::new().map_err(failure)?;
            store.build(&self.service, name, None).map_err(failure)
        }
    }

    impl Vault for NativeVault {
        fn read(&self, name: &str) -> Result<Option<Secret>, VaultError> {
            match self.entry(name)?.get_password() {
                Ok(text) => Ok(Some(Secret::new(text))),
                Err(Error::NoEntry) => Ok(None),
                Err(error) => Err(failure(error)),
            }
        }

        fn write(&self, name: &str, text: &Secret) -> Result<(), VaultError> {
            self.entry(name)?.set_password(text.expose()).map_err(failure)
        }

        fn delete(&self, name: &str) -> Result<bool, VaultError> {
            match self.entry(name)?.delete_credential() {
                Ok(()) => Ok(true),
                Err(Error::NoEntry) => Ok(false),
                Err(error) => Err(failure(error)),
            }
        }
    }

    fn failure(error: Error) -> VaultError {
        match error {
            // Security: these two carry what was read.
            Error::BadEncoding(_) | Error::BadDataFormat(..) => VaultError::new("it holds something else"),
            error => VaultError::new(error.to_string()),
        }
    }
}

#[cfg(not(any(target_os = "macos", windows)))]
mod tool {
    use std::ffi::OsString;
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    use super::super::pieces::VaultError;
    use super::Vault;
    use crate::Secret;

    /// The command-line client of the Secret Service.
    #[derive(Debug)]
    pub(super) struct SecretTool {
        program: OsString,
        service: String,
    }

    impl SecretTool {
        pub(super) fn new(program: impl Into<OsString>, service: String) -> Self {
            Self { program: program.into(), service }
        }

        fn run(&self, verb: &[&str], name: &str, input: &str) -> Result<Output, VaultError> {
            let mut command = Command::new(&self.program);
            for own in crate::children::OWN_SECRETS {
                command.env_remove(own);
            }
            let mut child = command
                .args(verb)
                .args(["service", &*self.service, "account", name])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| {
                    let why = match error.kind() {
                        std::io::ErrorKind::NotFound => "there is no such program".to_owned(),
                        _ => mcp_files::reason(&error),
                    };
                    VaultError::new(format!("{} does not start: {why}", self.program.display()))
                })?;
            if let Some(mut stdin) = child.stdin.take() {
                // One that ends before it has read says why on stderr.
                let _ = stdin.write_all(input.as_bytes());
            }
            child.wait_with_output().map_err(|error| VaultError::new(error.to_string()))
        }

        /// Whether the tool found or did what it was asked. It exits with 1 both when there is nothing and when
        /// something is wrong, and only in the latter case says so.
        fn succeeded(&self, output: &Output) -> Result<bool, VaultError> {
            if output.status.success() {
                return Ok(true);
            }
            let said = String::from_utf8_lossy(&output.stderr);
            match said.lines().find(|line| !line.trim().is_empty()) {
                None if output.status.code() == Some(1) => Ok(false),
                None => Err(VaultError::new(format!("secret-tool ended with {}", output.status))),
                Some(line) => Err(VaultError::new(line.trim())),
            }
        }
    }

    impl Vault for SecretTool {
        fn read(&self, name: &str) -> Result<Option<Secret>, VaultError> {
            let output = self.run(&["lookup"], name, "")?;
            if !self.succeeded(&output)? {
                return Ok(None);
            }
            let text =
                String::from_utf8(output.stdout).map_err(|_| VaultError::new("it holds something else"))?;
            Ok(Some(Secret::new(text)))
        }

        fn write(&self, name: &str, text: &Secret) -> Result<(), VaultError> {
            let label = format!("{}: {name}", self.service);
            let output = self.run(&["store", "--label", &label], name, text.expose())?;
            match self.succeeded(&output)? {
                true => Ok(()),
                false => Err(VaultError::new("secret-tool did not keep the secret")),
            }
        }

        fn delete(&self, name: &str) -> Result<bool, VaultError> {
            let output = self.run(&["clear"], name, "")?;
            self.succeeded(&output)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::os::unix::fs::PermissionsExt;

        /// A stand-in that keeps each secret in a file named after its account.
        const TOOL: &str = r#"#!/bin/sh
case "$*" in *canary*) echo "a secret among the arguments" >&2; exit 2;; esac
for account; do :; done
file="$(dirname "$0")/kept-$account"
case "$1" in
  store) cat > "$file" ;;
  lookup) cat "$file" 2>/dev/null || exit 1 ;;
  clear) rm "$file" 2>/dev/null || exit 1 ;;
esac
"#;

        fn tool(script: &str) -> (tempfile::TempDir, SecretTool) {
            let dir = tempfile::tempdir().unwrap();
            let program = dir.path().join("secret-tool");
            std::fs::write(&program, script).unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
            (dir, SecretTool::new(program, "mcplink".to_owned()))
        }

        #[test]
        fn secrets_travel_on_stdin_and_come_back() {
            let (_dir, tool) = tool(TOOL);
            assert!(tool.read("a").unwrap().is_none());
            assert!(!tool.delete("a").unwrap());
            tool.write("a", &Secret::new("canary-1")).unwrap();
            tool.write("a", &Secret::new("canary-2")).unwrap();
            assert_eq!(tool.read("a").unwrap(), Some(Secret::new("canary-2")));
            assert!(tool.delete("a").unwrap());
            assert!(tool.read("a").unwrap().is_none());
        }

        #[test]
        fn what_is_wrong_is_told_apart_from_nothing_there() {
            let (_dir, locked) = tool("#!/bin/sh\necho >&2\necho 'secret-tool: locked' >&2\nexit 1\n");
            assert_eq!(locked.read("a").unwrap_err().to_string(), "secret-tool: locked");
            assert!(locked.write("a", &Secret::new("x")).is_err());
            assert!(locked.delete("a").is_err());
            let absent = SecretTool::new("/nonexistent/secret-tool", "mcplink".to_owned());
            assert!(absent.read("a").unwrap_err().to_string().contains("does not start"));
        }
    }
}
