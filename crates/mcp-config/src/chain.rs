//! The entries above this process, so that no entry starts itself.
//!
//! An entry that starts a process hands the chain down to it in `MCPLINK_CHAIN`: its own name and a digest of its place, behind
//! those of the entries that the process already runs under. An entry that is in the chain is not started again: whatever
//! form a loop takes (a wrapper script, two entries that lead to each other, a helper that asks this program), it ends at its first
//! repetition. A loop that never repeats an entry ends at a depth. A local server is told the same chain in the opening of the
//! conversation, so that a program in between that clears the environment does not take it away: [`Env::below`].
//!
//! The value holds no secret: names, and digests of names, places and of what `list` shows of an entry. It grants
//! nothing: a program that changes it can only take servers from its own children, or take the guard away, as one that starts
//! processes without this program can. What cannot be read counts as an entry above of which nothing is known.

use std::ffi::OsStr;
use std::fmt::Write as _;

use crate::Env;

/// The variable that carries the chain: the entries that a process runs under, outermost first, between commas; `~` is one of
/// which nothing is known.
pub const VARIABLE: &str = "MCPLINK_CHAIN";
/// Entries above that are no longer believed to be anything but a loop.
const MAX_DEPTH: usize = 8;
/// A value of ours is never longer.
const MAX_BYTES: usize = 1024;
/// Bytes of a name in the value, escapes included; the digest counts the whole name.
const MAX_NAME_BYTES: usize = 60;

/// The entries above this process, outermost first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Chain(Vec<Link>);

/// One entry of a chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Link {
    /// As it is shown; empty where nothing is known.
    name: String,
    digest: Option<u64>,
}

impl Chain {
    /// Reads the value of the variable.
    pub(crate) fn parse(value: Option<&OsStr>) -> Self {
        let Some(value) = value.filter(|value| !value.is_empty()) else { return Self::default() };
        match value.to_str().filter(|value| value.len() <= MAX_BYTES) {
            // One more than the depth is as good as a hundred.
            Some(value) => Self(
                value
                    .split(',')
                    .take(MAX_DEPTH + 1)
                    .map(|part| Link::parse(part).unwrap_or_else(Link::unknown))
                    .collect(),
            ),
            None => Self(vec![Link::unknown()]),
        }
    }

    /// How `entry` leads back to itself, for people; `None` where it does not.
    pub(crate) fn loop_of(&self, entry: &Link) -> Option<String> {
        let at = self.0.iter().position(|above| above.digest == entry.digest);
        match at {
            Some(at) => Some(format!("leads back to itself: {}", trail(&self.0[at..], entry))),
            None if self.0.len() >= MAX_DEPTH => {
                let above = trail(&self.0[..MAX_DEPTH], entry);
                Some(format!("is not started below {MAX_DEPTH} others ({VARIABLE}): {above}"))
            }
            None => None,
        }
    }

    /// The value for a process that `entry` starts.
    pub(crate) fn below(&self, entry: &Link) -> String {
        value(self.0.iter().chain([entry]))
    }

    /// This chain of the environment and what the client told: the client has started what it speaks to, so it is the last to
    /// have its say, and what a program in between left of the environment still counts.
    fn with(self, client: Self) -> Self {
        let is_told = |link: &Link| client.0.iter().any(|other| other.digest == link.digest);
        let own = self.0.len();
        let mut links: Vec<Link> =
            self.0.into_iter().filter(|link| link.digest.is_some() && !is_told(link)).collect();
        links.extend(client.0);
        // What is known by its number alone keeps the depth.
        let missing = own.saturating_sub(links.len());
        links.splice(0..0, std::iter::repeat_with(Link::unknown).take(missing));
        // One more than the depth is as good as a hundred, and the nearest ones name a loop.
        links.drain(..links.len().saturating_sub(MAX_DEPTH + 1));
        Self(links)
    }
}

impl Env {
    /// The entries that this process runs under, in the format of `MCPLINK_CHAIN`; `None` where there are none.
    pub fn above(&self) -> Option<String> {
        let chain = Chain::parse(self.var_os(VARIABLE));
        (!chain.0.is_empty()).then(|| value(chain.0.iter()))
    }

    /// Whether this process may have a session connect again that runs below the entries `session`.
    ///
    /// What an entry starts reaches the sessions that run below the same entries, and so below itself, and no others. Each of
    /// these starts what is one entry further down, so that no chain of reconnects comes back to where it began.
    pub fn reaches(&self, session: Option<&str>) -> bool {
        let own = Chain::parse(self.var_os(VARIABLE)).0;
        let other = Chain::parse(session.map(OsStr::new)).0;
        own.len() <= other.len() && own.iter().zip(&other).all(|(own, other)| own.digest == other.digest)
    }

    /// The same environment below the entries that a client told of in the opening of its conversation, in the format of
    /// `MCPLINK_CHAIN`.
    #[must_use]
    pub fn below(self, announced: &str) -> Self {
        let chain = Chain::parse(self.var_os(VARIABLE)).with(Chain::parse(Some(OsStr::new(announced))));
        self.with(VARIABLE, value(chain.0.iter()))
    }
}

fn value<'a>(links: impl Iterator<Item = &'a Link>) -> String {
    let mut value = String::new();
    for link in links {
        if !value.is_empty() {
            value.push(',');
        }
        link.write(&mut value);
    }
    value
}

fn trail(above: &[Link], last: &Link) -> String {
    let names: Vec<&str> = above.iter().chain([last]).map(Link::shown).collect();
    names.join(" → ")
}

impl Link {
    fn unknown() -> Self {
        Self { name: String::new(), digest: None }
    }

    /// The entry of this name, which `parts` tell from others of it.
    pub(crate) fn new(name: &str, parts: &[&str]) -> Self {
        let shown = decode(&encode(name)).unwrap_or_default();
        Self { name: mcp_text::escaped(&shown).into_owned(), digest: Some(digest(name, parts)) }
    }

    fn shown(&self) -> &str {
        if self.name.is_empty() { "?" } else { &self.name }
    }

    fn parse(part: &str) -> Option<Self> {
        let (name, digest) = part.split_once('~')?;
        let is_digest = digest.len() == 16 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        if name.len() > MAX_NAME_BYTES || !is_digest {
            return None;
        }
        let digest = u64::from_str_radix(digest, 16).ok()?;
        Some(Self { name: mcp_text::escaped(&decode(name)?).into_owned(), digest: Some(digest) })
    }

    fn write(&self, value: &mut String) {
        value.push_str(&encode(&self.name));
        match self.digest {
            Some(digest) => {
                // Writing into a string cannot fail.
                let _ = write!(value, "~{digest:016x}");
            }
            None => value.push('~'),
        }
    }
}

/// A name in letters that neither a shell nor this format minds, cut where it is long.
fn encode(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        let before = text.len();
        if letter.is_ascii_alphanumeric() || "-_.".contains(letter) {
            text.push(letter);
        } else {
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        if text.len() > MAX_NAME_BYTES {
            text.truncate(before);
            break;
        }
    }
    text
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit =
                    || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit()? * 16 + digit()?);
            }
            b if b.is_ascii_alphanumeric() || b"-_.".contains(&b) => bytes.push(b),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

/// Which entry it is. FNV-1a: it has to tell a person's own entries apart, and nothing depends on it that an attacker could
/// not have more simply.
fn digest(name: &str, parts: &[&str]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    // A byte that no text holds keeps the parts apart.
    let bytes = std::iter::once(&name).chain(parts).flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::{Config, Env, Gate, Project, Request, ServerEntry};

    /// The entry `name` that is a command, as it is read under this chain.
    fn read(name: &str, command: &str, chain: &str) -> ServerEntry {
        let env = Env::from([(VARIABLE, chain)]);
        let mut request = Request::new("/nowhere", env);
        request.managed_dir = Some("/nowhere/managed".into());
        let file =
            serde_json::json!({"mcpServers": {name: {"command": command, "env": {VARIABLE: "", "A": "b"}}}});
        request.mcp_config.push(file.to_string());
        Config::load(&request).entry(name).unwrap().clone()
    }

    /// The chain that the process of this entry gets.
    fn handed(entry: &ServerEntry) -> String {
        let project = Project::find(std::path::Path::new("/nowhere"));
        let launch = entry.launch(&Env::from([(VARIABLE, "outer")]), &project).unwrap();
        launch.env[OsStr::new(VARIABLE)].to_str().unwrap().to_owned()
    }

    #[test]
    fn s_b2_an_entry_that_is_above_is_not_started_again() {
        let a = handed(&read("a", "x", ""));
        let b = handed(&read("b, ü", "x", &a));
        let again = read("a", "x", &b);
        assert_eq!(again.gate(), Gate::SelfReference);
        assert_eq!(again.self_reference.as_deref(), Some("leads back to itself: a → b, ü → a"));
        assert_eq!(read("a", "x", &a).self_reference.as_deref(), Some("leads back to itself: a → a"));
        // The same name for something else is something else.
        assert_eq!(read("a", "y", &b).gate(), Gate::Ready);
        assert_eq!(read("c", "x", &b).gate(), Gate::Ready);
    }

    #[test]
    fn s_b2_what_an_entry_starts_reaches_sessions_below_it_alone() {
        let a = handed(&read("a", "x", ""));
        let ab = handed(&read("b", "x", &a));
        let b = handed(&read("b", "x", ""));
        let below = |chain: &str| Env::from([(VARIABLE, chain)]);
        for (own, session, expected) in [
            // A person's own terminal.
            ("", None, true),
            ("", Some(&*ab), true),
            // Above it, or of another version that does not say.
            (&*a, None, false),
            (&*ab, Some(&*a), false),
            // Beside it: two whose servers have each other connect again would go on without end.
            (&*a, Some(&*b), false),
            (&*b, Some(&*ab), false),
            // What runs under the same entry, an agent and the bridges that it starts.
            (&*a, Some(&*a), true),
            (&*a, Some(&*ab), true),
            // Of which nothing is known.
            ("~", None, false),
            ("~,~", Some("~"), false),
            ("~", Some("~"), true),
            ("~", Some(&*a), false),
        ] {
            assert_eq!(below(own).reaches(session), expected, "{own} {session:?}");
        }
        assert_eq!(below("").above(), None);
        assert_eq!(below(&ab).above(), Some(ab));
    }

    #[test]
    fn s_b2_the_chain_is_not_the_entrys_to_take_away() {
        // The entry sets the variable to nothing; its process gets the chain all the same, and its other variables.
        let project = Project::find(std::path::Path::new("/nowhere"));
        let launch = read("a", "x", "").launch(&Env::new(), &project).unwrap();
        assert!(launch.env[OsStr::new(VARIABLE)].to_str().unwrap().starts_with("a~"));
        assert_eq!(launch.env[OsStr::new("A")], "b");
    }

    #[test]
    fn s_b2_a_loop_that_repeats_nothing_ends_at_a_depth() {
        let mut chain = String::new();
        let mut depth = 0;
        loop {
            let entry = read(&format!("turn {depth}"), "x", &chain);
            if entry.gate() == Gate::SelfReference {
                assert!(entry.self_reference.unwrap().contains("turn 0 → turn 1 → turn 2"));
                break;
            }
            chain = handed(&entry);
            depth += 1;
            assert!(depth < 20, "{chain}");
        }
        assert_eq!(depth, MAX_DEPTH);
    }

    #[test]
    fn s_b2_what_a_client_tells_counts_beside_what_the_environment_has() {
        let a = handed(&read("a", "x", ""));
        let ab = handed(&read("b", "x", &a));
        let below = |environment: &str, above: &str| {
            let env = Env::from([(VARIABLE, environment)]).below(above);
            Chain::parse(env.var_os(VARIABLE))
        };
        let names = |chain: &Chain| chain.0.iter().map(Link::shown).collect::<Vec<_>>().join(" ");
        for (environment, above, expected) in [
            ("", &*a, "a"),
            ("", &ab, "a b"),
            (&*a, &ab, "a b"),
            (&ab, &ab, "a b"),
            // Nothing is above but what the environment has, and what is known of a client by its number alone.
            (&a, "", "a"),
            ("~", &a, "a"),
            ("~,~,~", &a, "? ? a"),
            (&a, "nonsense", "a ?"),
        ] {
            assert_eq!(names(&below(environment, above)), expected, "{environment} {above}");
        }
        let env = Env::new().below(&ab);
        let entry = read("a", "x", env.var(VARIABLE).unwrap());
        assert_eq!(entry.self_reference.as_deref(), Some("leads back to itself: a → b → a"));
        // However much is told, the value stays one that is read.
        let long = below(&["x"; 200].join(","), &"y~0000000000000001,".repeat(1000));
        assert!(long.0.len() >= MAX_DEPTH && value(long.0.iter()).len() <= MAX_BYTES, "{long:?}");
    }

    #[test]
    fn s_b2_a_value_of_a_stranger_counts_and_harms_nothing() {
        let long = "x".repeat(MAX_BYTES + 1);
        for value in
            ["x", "~", "a~", "a~zzzzzzzzzzzzzzzz", "%~0000000000000000", "a b~0000000000000000", &long]
        {
            let chain = Chain::parse(Some(OsStr::new(value)));
            assert_eq!(chain.0.len(), 1, "{value}");
            // What is not understood is handed on as one more above, so it cannot keep the depth down.
            let entry = read("a", "x", value);
            assert_eq!(entry.gate(), Gate::Ready, "{value}");
            let below = Chain::parse(Some(OsStr::new(&handed(&entry))));
            assert_eq!(below.0.len(), 2, "{value}");
        }
        let many = ["x"; 1000].join(",");
        assert_eq!(Chain::parse(Some(OsStr::new(&many[..MAX_BYTES]))).0.len(), MAX_DEPTH + 1);
        assert_eq!(read("a", "x", &many[..MAX_BYTES]).gate(), Gate::SelfReference);
        assert_eq!(Chain::parse(Some(OsStr::new(""))), Chain::default());
        assert_eq!(Chain::parse(None), Chain::default());
    }

    #[cfg(unix)]
    #[test]
    fn s_b2_a_value_that_is_no_text_counts_too() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(vec![0xff, b'a']);
        assert_eq!(Chain::parse(Some(&value)).0.len(), 1);
    }

    #[test]
    fn s_b2_a_chain_stays_short_and_shows_no_control_character() {
        let mut chain = String::new();
        for turn in 0..MAX_DEPTH {
            let entry = read(&format!("{turn}\u{1b}[2J{}", "ü".repeat(500)), "x", &chain);
            chain = handed(&entry);
        }
        assert!(chain.len() <= MAX_BYTES && chain.is_ascii(), "{chain}");
        assert!(
            chain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.%~,".contains(&byte)),
            "{chain}"
        );
        let words = read("z", "x", &chain).self_reference.unwrap();
        assert!(!words.contains(char::is_control), "{words:?}");
        assert_eq!(Chain::parse(Some(OsStr::new(&chain))).0.len(), MAX_DEPTH);
    }

    #[test]
    fn s_b2_a_server_that_starts_nothing_is_never_part_of_a_loop() {
        let mut request = Request::new("/nowhere", Env::from([(VARIABLE, "a,b,c,d,e,f,g,h,i")]));
        request.managed_dir = Some("/nowhere/managed".into());
        let file = r#"{"mcpServers": {"web": {"type": "http", "url": "https://h.example/"},
            "minted": {"type": "http", "url": "https://h.example/", "headersHelper": "true"}}}"#;
        request.mcp_config.push(file.to_owned());
        let config = Config::load(&request);
        assert_eq!(config.entry("web").unwrap().gate(), Gate::Ready);
        assert_eq!(config.entry("minted").unwrap().gate(), Gate::SelfReference);
    }
}
