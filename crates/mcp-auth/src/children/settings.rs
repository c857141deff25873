//! Which variables a stranger's program gets: what every program needs, what cannot be a secret, what it was allowed with.
//!
//! The opposite, a list of what looks like a secret, is never complete: `SESSION_ID=x7f3` has neither the name nor the
//! look. So what is not plainly a setting stays behind, unless the command names it.

use mcp_text::is_secret_segment;

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

/// Whether the value is plainly a setting: words, numbers, a path or a list of them, or an address of a host without
/// anything beside its path.
pub(super) fn is_plain(name: &str, value: &str) -> bool {
    const MAX_LEN: usize = 1024;
    let is_doubtful = |part: &str| DOUBTFUL.iter().any(|doubtful| part.eq_ignore_ascii_case(doubtful));
    value.len() <= MAX_LEN
        && !name.split(|c: char| !c.is_ascii_alphanumeric()).any(is_doubtful)
        && (is_words(value) || is_paths(value) || is_address(value))
}

/// `prod`, `eu-west-1`, `en_US.UTF-8`, `3.12`, `true`, `10.0.0.1`, `a,b`.
fn is_words(value: &str) -> bool {
    const MAX_LEN: usize = 64;
    value.len() <= MAX_LEN && value.split(['-', '_', '.', ',']).all(is_word)
}

/// Letters in one case or with a capital, or digits. Both beside each other are what keys are made of, but for `v20`,
/// `x86` and `1a`.
fn is_word(word: &str) -> bool {
    const MAX_LETTERS: usize = 20;
    const MAX_DIGITS: usize = 9;
    let of = |wanted: fn(&u8) -> bool, word: &str| word.bytes().all(|byte| wanted(&byte));
    let is_letters = |word: &str| {
        let rest = word.get(1..).unwrap_or_default();
        let small = of(u8::is_ascii_lowercase, rest) && of(u8::is_ascii_alphabetic, word);
        word.len() <= MAX_LETTERS && (small || of(u8::is_ascii_uppercase, word))
    };
    let is_short = word.len() <= 4 && of(u8::is_ascii_alphanumeric, word) && {
        let letters = word.bytes().filter(u8::is_ascii_alphabetic).count();
        letters == 1 && !word[1..word.len().max(2) - 1].bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    is_letters(word) || (word.len() <= MAX_DIGITS && of(u8::is_ascii_digit, word)) || is_short
}

/// Absolute paths, or such that begin at home or here, as they stand in lists.
fn is_paths(value: &str) -> bool {
    let bytes = value.as_bytes();
    let has_drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && matches!(&bytes[1..3], b":\\" | b":/");
    let of_windows = has_drive && value.split(';').all(|path| segments(path.get(2..).unwrap_or_default()));
    let is_path =
        |path: &str| path.starts_with(['/', '~']) || path.starts_with("./") || path.starts_with("../");
    of_windows || (!has_drive && value.split(':').all(|path| is_path(path) && segments(path)))
}

/// No segment is a secret by its look or by what stands before it.
fn segments(path: &str) -> bool {
    let mut before = "";
    path.split(['/', '\\']).all(|segment| {
        let is_harmless = !is_secret_segment(before, segment)
            && segment
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b" ._-+~".contains(&byte) || byte >= 0x80);
        before = segment;
        is_harmless
    })
}

/// `https://host:8200/v1`, `host.example:443`, `git@host.example:me/x.git`, `/run/x.sock` behind a scheme.
fn is_address(value: &str) -> bool {
    let (scheme, rest) = value.split_once("://").unwrap_or(("", value));
    let rest = rest.strip_prefix("git@").unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, port),
        _ => (host, ""),
    };
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    // Without a scheme, what has no port is a word or two, and `name:word` a user and a password.
    let is_owner = value.starts_with("git@") && !port.is_empty() && is_words(port);
    let is_port = port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host =
        !scheme.is_empty() || is_owner || (!port.is_empty() && (host == "localhost" || host.contains('.')));
    let is_label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_[]:".contains(&byte))
            && !mcp_text::looks_like_token(label)
    };
    is_scheme
        && is_host
        && host.split('.').all(is_label)
        && (is_port || is_owner)
        && path.split('/').all(|segment| is_words(segment) && !is_secret_segment("", segment))
}
