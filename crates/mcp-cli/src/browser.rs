//! Which program opens a page for the person, or why none can: decided from the environment as a value.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use crate::environment::Environment;

/// How to show an authorization URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Browser {
    /// Start this program with these arguments, the URL as one more.
    Open {
        /// The program.
        program: OsString,
        /// What precedes the URL.
        arguments: Vec<OsString>,
    },
    /// There is none to open; the person gets the URL. The text says why.
    Absent(&'static str),
}

impl Browser {
    /// Starts it with `url`; its own output would only disturb.
    ///
    /// # Errors
    ///
    /// Why the person has to open the page.
    pub(crate) fn open(&self, url: &url::Url) -> Result<(), String> {
        let (program, arguments) = match self {
            Self::Open { program, arguments } => (program, arguments),
            Self::Absent(why) => return Err((*why).to_owned()),
        };
        let mut command = tokio::process::Command::new(program);
        // Security: the URL is one argument of a program, never text for a shell.
        command.args(arguments).arg(url.as_str());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        for own in mcp_auth::children::OWN_SECRETS {
            command.env_remove(own);
        }
        // A browser that was not running yet is our child: Ctrl-C on this terminal is not meant for its windows.
        #[cfg(unix)]
        command.process_group(0);
        // A child that is let go is reaped by the runtime when it ends.
        command
            .spawn()
            .map(drop)
            .map_err(|error| format!("{} could not be started: {error}", program.to_string_lossy()))
    }
}

/// Facts about the machine beside its environment variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    /// `linux`, `macos`, `windows`.
    pub(crate) os: &'static str,
    /// The process runs in a container.
    pub(crate) container: bool,
}

impl Machine {
    /// This machine.
    pub(crate) fn current() -> Self {
        let container = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
        Self { os: std::env::consts::OS, container }
    }
}

/// Chooses the browser. `BROWSER` wins, as everywhere; its first alternative is used.
pub(crate) fn choose(environment: &Environment, machine: Machine) -> Browser {
    if let Some(named) = environment.text("BROWSER") {
        let first = named.split(':').next().unwrap_or_default();
        // `%s` marks the place of the URL; it is always last here.
        let mut words = first.split_whitespace().filter(|word| *word != "%s").map(OsString::from);
        if let Some(program) = words.next() {
            return Browser::Open { program, arguments: words.collect() };
        }
    }
    let set = |name: &str| environment.text(name).is_some();
    let graphical = set("DISPLAY") || set("WAYLAND_DISPLAY");
    let open = |program: &str, arguments: &[&str]| Browser::Open {
        program: program.into(),
        arguments: arguments.iter().map(OsString::from).collect(),
    };
    if (set("SSH_CONNECTION") || set("SSH_TTY")) && !graphical {
        return Browser::Absent("this is a remote shell");
    }
    match machine.os {
        "windows" => open("rundll32.exe", &["url.dll,FileProtocolHandler"]),
        "macos" => open("open", &[]),
        // The Windows browser reaches the loopback listener of WSL.
        _ if set("WSL_DISTRO_NAME") || set("WSL_INTEROP") => {
            open("rundll32.exe", &["url.dll,FileProtocolHandler"])
        }
        _ if machine.container && !graphical => Browser::Absent("this is a container"),
        _ if !graphical => Browser::Absent("there is no graphical display"),
        _ => open("xdg-open", &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], os: &'static str, container: bool) -> Browser {
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let environment = Environment::new(variables, Ok("/".into()), Ok("/mcplink".into()));
        choose(&environment, Machine { os, container })
    }

    fn program(browser: &Browser) -> &str {
        match browser {
            Browser::Open { program, .. } => program.to_str().unwrap(),
            Browser::Absent(why) => why,
        }
    }

    #[test]
    fn f073_a_machine_without_a_browser_is_recognised() {
        for (variables, os, container, expected) in [
            (vec![("DISPLAY", ":0")], "linux", false, "xdg-open"),
            (vec![("WAYLAND_DISPLAY", "w")], "linux", true, "xdg-open"),
            (vec![], "linux", false, "there is no graphical display"),
            (vec![], "linux", true, "this is a container"),
            (vec![("SSH_CONNECTION", "x")], "linux", false, "this is a remote shell"),
            (vec![("SSH_CONNECTION", "x"), ("DISPLAY", ":10")], "linux", false, "xdg-open"),
            (vec![("SSH_TTY", "x")], "macos", false, "this is a remote shell"),
            (vec![], "macos", false, "open"),
            (vec![], "windows", false, "rundll32.exe"),
            (vec![("WSL_DISTRO_NAME", "Debian")], "linux", false, "rundll32.exe"),
            (vec![("BROWSER", "firefox")], "linux", false, "firefox"),
        ] {
            assert_eq!(program(&chosen(&variables, os, container)), expected, "{variables:?} {os}");
        }
    }

    #[test]
    fn a_named_browser_may_have_arguments_and_never_sees_a_shell() {
        let browser = chosen(&[("BROWSER", "curl -sL %s:lynx"), ("SSH_TTY", "x")], "linux", true);
        let expected = Browser::Open { program: "curl".into(), arguments: vec!["-sL".into()] };
        assert_eq!(browser, expected);
        assert_eq!(program(&chosen(&[("BROWSER", " : ")], "linux", false)), "there is no graphical display");
    }
}
