//! Which variables a stranger's program gets: what every program needs, what cannot be a secret, what it was allowed with.
//!
//! The opposite, a list of what looks like a secret, is never complete: `SESSION_ID=x7f3` has neither the name nor the
//! look. So what is not plainly a setting stays behind, unless the command names it.

/// What a program needs to find its home, its tools, its language, its screen and its authorities, whatever the value.
const COMMON: [&str; 51] = [
    "APPDATA",
    "AWS_CA_BUNDLE",
    "COLORTERM",
    "COMPUTERNAME",
    "COMSPEC",
    "CURL_CA_BUNDLE",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "DYLD_LIBRARY_PATH",
    "HOME",
    "HOMEDRIVE",
    "HOMEPATH",
    "HOSTNAME",
    "LANG",
    "LANGUAGE",
    "LD_LIBRARY_PATH",
    "LOCALAPPDATA",
    "LOGNAME",
    "MANPATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "OLDPWD",
    "PATH",
    "PATHEXT",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PSMODULEPATH",
    "PWD",
    "PYTHONPATH",
    "REQUESTS_CA_BUNDLE",
    "SHELL",
    "SHLVL",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "USERDOMAIN",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
];

/// Families of such variables. `CLAUDE_CODE_MCP` are Claude Code's settings of the same things that this program does.
const FAMILIES: [&str; 5] = ["CLAUDE_CODE_MCP_", "GIT_CONFIG_COUNT", "LC_", "NIX_", "XDG_"];

/// A name with one of these as a part may hold a secret that looks like a word. `DATA` holds what else is in a file.
const DOUBTFUL: [&str; 22] = [
    "cert",
    "code",
    "conn",
    "connection",
    "csrf",
    "data",
    "hash",
    "hook",
    "keyid",
    "licence",
    "license",
    "login",
    "nonce",
    "otp",
    "pin",
    "salt",
    "seed",
    "session",
    "sid",
    "sig",
    "signature",
    "webhook",
];

/// Whether every program may have this variable.
pub(super) fn is_common(name: &str) -> bool {
    COMMON.iter().any(|common| name.eq_ignore_ascii_case(common))
        || FAMILIES.iter().any(|family| name.starts_with(family))
}

/// Whether the command names this variable: `$NAME`, `${NAME}`, `%NAME%`, `os.environ["NAME"]`.
pub(super) fn is_named(command: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    name.chars().all(is_part) && command.split(|c| !is_part(c)).any(|word| word == name)
}

/// Whether the value is plainly a setting, and the name says nothing else.
pub(super) fn is_plain(name: &str, value: &str) -> bool {
    const MAX_LEN: usize = 1024;
    let is_doubtful = |part: &str| DOUBTFUL.iter().any(|doubtful| part.eq_ignore_ascii_case(doubtful));
    value.len() <= MAX_LEN
        && !name.split(|c: char| !c.is_ascii_alphanumeric()).any(is_doubtful)
        && mcp_text::is_plain_setting(value)
}
