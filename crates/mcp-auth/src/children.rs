//! What a child process finds in its environment: one pure function of the environment and of the kind of child.
//!
//! | child | gets | does not get |
//! |---|---|---|
//! | a local (stdio) server (`mcp-config::launch`) | everything, and the `env` of its entry on top | [`OWN_SECRETS`], `OTEL_*` |
//! | a `headersHelper` of a person | everything, and who it mints for | [`OWN_SECRETS`] |
//! | a `headersHelper` that a repository brought along | what is plainly a setting, and what its command names | all else, and what is named or looks like a credential |
//! | the browser, `secret-tool` | everything | [`OWN_SECRETS`] |
//!
//! The client secret is this program's own, for authorization servers, and the token store is its own database: no child has a
//! use for them. A repository's helper is
//! a stranger's program that a person allowed to run, not to look around. It gets what every program needs and what
//! cannot be a secret (`settings`), and of the rest what its command names, because the person who allowed the command
//! has read that. Even so a variable goes by its name ([`mcp_text::is_credential_name`]), by its value (a URL with a
//! password, a header, a connection string, what looks like a token), and as a copy of one that has gone. A proxy's
//! address stays, without user name and password, because nothing works without it in many places.
//!
//! In the core and not with the helper: the lowering of a configuration needs the same answer for the variables that went
//! into a URL.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use mcp_text::{Secrets, is_credential_name, looks_like_token};

use crate::settings::EnvPolicy;

mod settings;

/// Names the database in which machines share sign-ins, with its password.
pub const TOKEN_STORE: &str = "MCPLINK_TOKEN_STORE";
/// Names the file of the keys that its records are sealed with.
pub const TOKEN_STORE_KEY_FILE: &str = "MCPLINK_TOKEN_STORE_KEY_FILE";

/// Variables that are for this program alone.
pub const OWN_SECRETS: [&str; 3] = ["MCP_CLIENT_SECRET", TOKEN_STORE, TOKEN_STORE_KEY_FILE];

/// What this program tells itself through its children (the chain that ends loops) holds digests, and no secret.
const OWN_PREFIX: &str = "MCPLINK_";

/// From this length on, in bytes, a secret that is found in another variable is taken for a copy and not for a word.
const MIN_COPY: usize = 12;

impl EnvPolicy {
    /// The environment of a child that runs this command line, from that of this process.
    pub fn environment<N, V>(
        self,
        command: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> BTreeMap<OsString, OsString>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let mut environment: BTreeMap<OsString, OsString> = BTreeMap::new();
        let mut gone = Vec::new();
        for (name, value) in variables {
            let (name, value) = (name.into(), value.into());
            if !self.removes(&name.to_string_lossy()) {
                environment.insert(name, value);
            } else if self == Self::Scrubbed {
                gone.push(value);
            }
        }
        if self == Self::Scrubbed {
            gone.retain(|value| is_copied(value));
            environment = environment
                .into_iter()
                .filter_map(|(name, value)| scrubbed(command, &name, value, &gone).map(|value| (name, value)))
                .collect();
        }
        environment
    }

    /// Whether this policy keeps a variable of this name from the command, whatever its value.
    pub fn removes(self, name: &str) -> bool {
        // Windows compares names without case, and elsewhere no other variable has this name in small letters.
        OWN_SECRETS.iter().any(|own| name.eq_ignore_ascii_case(own))
            || (self == Self::Scrubbed && is_credential_name(name))
    }

    /// Whether this policy keeps the variable, and what was made from it, from the command.
    pub fn hides(self, name: &str, value: &str) -> bool {
        self.removes(name) || (self == Self::Scrubbed && holds_secret(value))
    }
}

/// What a repository's helper gets of a variable whose name is no credential's.
fn scrubbed(command: &str, name: &OsStr, value: OsString, gone: &[OsString]) -> Option<OsString> {
    let (name, text) = (name.to_string_lossy(), value.to_string_lossy());
    if name.starts_with(OWN_PREFIX) {
        return Some(value);
    }
    if name.to_ascii_lowercase().ends_with("proxy") {
        let bare = without_userinfo(&text);
        return (!is_copy(&bare, gone) && !holds_secret(&bare)).then(|| bare.into());
    }
    let leaks = is_copy(&text, gone) || holds_secret(&text);
    // Git counts these, and ends where one of them is missing (git-config(1), section ENVIRONMENT).
    if name.starts_with("GIT_CONFIG_KEY_") {
        return Some(if leaks { "mcp.removed".into() } else { value });
    }
    if name.starts_with("GIT_CONFIG_VALUE_") {
        return Some(if leaks { OsString::new() } else { value });
    }
    let is_given = settings::is_common(&name)
        || settings::is_plain(&name, &text)
        || (settings::is_named(command, &name) && Secrets::default().hide(&text) == text);
    (is_given && !leaks).then_some(value)
}

fn is_copy(text: &str, gone: &[OsString]) -> bool {
    gone.iter().any(|secret| text.contains(&*secret.to_string_lossy()))
}

/// Whether the value of a variable that has gone tells a secret wherever it occurs, and is not a path or plain word.
fn is_copied(value: &OsStr) -> bool {
    let text = value.to_string_lossy();
    let mixed =
        text.bytes().any(|byte| byte.is_ascii_digit()) && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    text.len() >= MIN_COPY && mixed && !text.starts_with(['/', '~', '.'])
}

/// Whether a value holds a secret, as far as it looks like one.
fn holds_secret(value: &str) -> bool {
    has_userinfo(value)
        || has_header(value)
        || has_named_secret(value)
        || has_token(value)
        || value.contains("-----BEGIN ")
}

/// The beginning and the end of the authority behind each `://`. A password that should have been encoded and was not may
/// hold what ends one: then `user:` is followed by no port.
fn authorities(value: &str) -> impl Iterator<Item = (usize, usize)> {
    value.match_indices("://").map(|(at, scheme)| {
        let start = at + scheme.len();
        let rest = &value[start..];
        let word =
            &rest[..rest.find(|c: char| c.is_whitespace() || "\"'<>".contains(c)).unwrap_or(rest.len())];
        let until_path = |text: &str| text.find(['/', '?', '#']).unwrap_or(text.len());
        let end = until_path(word);
        let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let goes_on = !word[..end].contains('@')
            && word[..end].rsplit_once(':').is_some_and(|(_, port)| !is_port(port));
        match word.rfind('@').filter(|_| goes_on) {
            Some(at) => (start, start + at + 1 + until_path(&word[at + 1..])),
            None => (start, start + end),
        }
    })
}

/// A URL with a user name and password, or with a user name over HTTP, which is a token as often as not; or the same
/// without a scheme, as drivers of databases write it.
fn has_userinfo(value: &str) -> bool {
    let in_url = authorities(value).any(|(start, end)| {
        value[start..end].rsplit_once('@').is_some_and(|(user, _)| {
            let http = value[..start].to_ascii_lowercase().ends_with("http://")
                || value[..start].to_ascii_lowercase().ends_with("https://");
            user.contains(':') || (http && !user.is_empty()) || looks_like_token(user)
        })
    });
    let bare = value.split([' ', ',', ';', '\t', '\n']).any(|word| {
        let Some((user, _)) = word.rsplit_once('@') else { return false };
        !word.contains("://")
            && user
                .split_once(':')
                .is_some_and(|(name, password)| !name.contains('/') && !password.is_empty())
    });
    in_url || bare
}

fn without_userinfo(value: &str) -> String {
    let mut bare = String::with_capacity(value.len());
    let mut copied = 0;
    for (start, end) in authorities(value) {
        if let Some(at) = value[start..end].rfind('@').filter(|_| start >= copied) {
            bare.push_str(&value[copied..start]);
            copied = start + at + 1;
        }
    }
    if copied == 0
        && let Some((_, host)) = value.rsplit_once('@')
    {
        // `user:password@host:port`: a scheme is optional.
        return host.to_owned();
    }
    bare.push_str(&value[copied..]);
    bare
}

/// A header line with credentials, or what stands behind its name.
fn has_header(value: &str) -> bool {
    let lower = value.trim_start().to_ascii_lowercase();
    ["bearer ", "basic ", "dpop ", "token "].iter().any(|scheme| lower.starts_with(scheme))
        || ["authorization", "cookie", "api-key", "token", "secret"]
            .iter()
            .any(|name| lower.split_once(name).is_some_and(|(_, rest)| rest.trim_start().starts_with(':')))
}

/// `name=value` with the name of a credential, in a query or a connection string.
fn has_named_secret(value: &str) -> bool {
    value.split(['?', '&', ';', ',', ' ', '\t', '\n', '\'', '"']).any(|pair| {
        let Some((name, value)) = pair.split_once('=') else { return false };
        let name = name.trim().rsplit(['/', ':']).next().unwrap_or_default();
        // Keys of connection strings: Azure's `AccountKey`, `SharedAccessSignature`, and `sig` of its URLs.
        let is_azure = ["accountkey", "sharedaccesskey", "sharedaccesssignature", "sig"]
            .iter()
            .any(|key| name.eq_ignore_ascii_case(key));
        !value.trim().is_empty() && (is_credential_name(name) || is_azure)
    })
}

/// A word that looks like a token. Paths of this machine are none, nor is the host of a URL.
fn has_token(value: &str) -> bool {
    value.split([' ', ',', ';', '\t', '\n']).any(|word| match authorities(word).next() {
        Some((_, end)) => word[end..].split(['/', '?', '&', '=', '#']).any(looks_like_token),
        None => !word.contains(['/', '\\']) && looks_like_token(word),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of these variables for a command that names none.
    fn left(policy: EnvPolicy, variables: &[(&str, &str)]) -> Vec<String> {
        left_for("./mint.sh", policy, variables)
    }

    fn left_for(command: &str, policy: EnvPolicy, variables: &[(&str, &str)]) -> Vec<String> {
        let environment = policy.environment(command, variables.iter().copied());
        let text = |text: &OsStr| text.to_str().unwrap().to_owned();
        environment.iter().map(|(name, value)| format!("{}={}", text(name), text(value))).collect()
    }

    #[test]
    fn s_n19_no_child_gets_the_secret_of_this_program() {
        for policy in [EnvPolicy::Inherit, EnvPolicy::Scrubbed] {
            let spellings = ["MCP_CLIENT_SECRET", "mcp_client_secret", "Mcp_Client_Secret"];
            for name in spellings.into_iter().chain([TOKEN_STORE, TOKEN_STORE_KEY_FILE]) {
                assert!(left(policy, &[(name, "canary"), ("A", "b")]) == ["A=b"], "{name}");
            }
        }
        assert_eq!(
            left(EnvPolicy::Inherit, &[("MY_TOKEN", "ghp_canary0123456789")]),
            ["MY_TOKEN=ghp_canary0123456789"],
            "all else is the person's to give"
        );
    }

    #[test]
    fn s_n20_a_repositorys_helper_gets_no_value_with_a_secret() {
        for (name, value) in [
            ("DATABASE_URL", "postgres://u:canary@h/db"),
            ("REDIS_URL", "redis://:canary@h:6379/0"),
            ("AMQP_URL", "amqp://u:ca/na#ry?canary@h:5672/v"),
            ("PIP_INDEX_URL", "https://canary@pypi.corp/simple"),
            ("MONGO", "mongodb+srv://u:canary@a,b/db"),
            ("MYSQL_DSL", "u:canary@tcp(h:3306)/db"),
            ("JDBC", "jdbc:postgresql://h/db?user=u&password=canary"),
            ("MSSQL", "Server=h;User Id=u;Password=canary"),
            ("STORAGE", "DefaultEndpointsProtocol=https;AccountName=n;AccountKey=canary=="),
            ("BLOB", "https://n.blob.example/c?sv=1&sig=canary"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-honeycomb-team=canary"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=canary"),
            ("EXTRA", "Authorization: Basic canary"),
            ("EXTRA", "Bearer canary"),
            ("EXTRA", "x-api-key: canary"),
            ("GIT_CONFIG_PARAMETERS", "'http.extraheader=AUTHORIZATION: basic canary'"),
            ("WEBHOOK", "https://hooks.slack.example/services/T000/B000/canary0123456789ab"),
            ("CI_JOB", "ghp_canarycanarycanary"),
            ("CI_JOB", "glpat-canary0123"),
            ("ID", "eyJcanary.eyJcanary.x"),
            ("PEM", "-----BEGIN PRIVATE KEY-----\ncanary"),
            ("JAVA_OPTS", "-Xmx1g -Djavax.net.ssl.keyStorePassword=canary"),
            ("MY_TOKEN", "canary"),
            ("SENTRY_DSN", "canary"),
        ] {
            for command in ["./mint.sh".to_owned(), format!("mint ${name} ${{{name}}}")] {
                let shown = left_for(&command, EnvPolicy::Scrubbed, &[(name, value), ("HOME", "/h")]);
                assert_eq!(shown, ["HOME=/h"], "{name}, by {command}");
            }
        }
    }

    #[test]
    fn s_n20_k12_what_is_not_plainly_a_setting_stays_behind() {
        for (name, value) in [
            ("SSHPASS", "canary"),
            ("CURL_OPTS", "-u admin:canary"),
            ("CURL_OPTS", "-ucanary:"),
            ("SLACK_WEBHOOK", "https://hooks.slack.example/services/T0/B0/canary"),
            ("SLACK_WEBHOOK_URL", "canary"),
            ("DISCORD", "https://discord.example/api/webhooks/12345/ca7nary"),
            ("KUBECONFIG_DATA", "Y2FuYXJ5"),
            ("KUBECONFIG_DATA", "canary"),
            ("SESSION_ID", "x7f3"),
            ("SESSION_ID", "canary"),
            ("LICENSE", "CANARY"),
            ("LICENSE", "AB12-CD34"),
            ("GPG_KEYID", "0xC0FFEE"),
            ("GPG_KEYID", "canary"),
            ("SMTP_LOGIN", "hunter2"),
            ("BANK_PIN", "1234"),
            ("TOTP", "JBSWY3DPEHPK3PXP"),
            ("HOOK", "canary"),
            ("IT", "ca.n4ry"),
            ("IT", "correct horse battery staple"),
            ("IT", "aGVsbG8"),
            ("IT", "Tr0ub4dor&3"),
            ("IT", "{\"a\":\"canary\"}"),
            ("IT", "me:canary"),
            ("IT", "canary@h"),
            ("IT", "https://h/?canary"),
            ("IT", "https://h/#canary"),
            ("IT", "https://h/s/ca7nary"),
            ("IT", "https://canary@h/"),
            ("IT", "a\nb"),
            ("IT", "/run/x\n-----BEGIN"),
            ("IT", "~/x;canary!"),
            ("IT", "123456789012"),
        ] {
            assert!(left(EnvPolicy::Scrubbed, &[(name, value)]).is_empty(), "{name}={value}");
            assert_eq!(left(EnvPolicy::Inherit, &[(name, value)]).len(), 1, "{name}={value}");
        }
    }

    #[test]
    fn s_k12_what_the_command_names_was_allowed_with_it() {
        for command in
            ["mint $LICENSE", "mint \"${LICENSE:-x}\"", "node -e 'f(process.env.LICENSE)'", "mint %LICENSE%"]
        {
            let variables = [("LICENSE", "AB12-CD34"), ("LICENSE_2", "x"), ("CENSE", "hunter2")];
            assert_eq!(
                left_for(command, EnvPolicy::Scrubbed, &variables),
                ["LICENSE=AB12-CD34"],
                "{command}"
            );
        }
        // A credential does not come along even so: a repository names what it likes.
        for (name, value) in [
            ("MY_TOKEN", "x"),
            ("SSHPASS", "x"),
            ("A", "ghp_canarycanarycanary"),
            ("A", "curl -u a:canary h"),
            ("A", "hunter2-S3cret"),
        ] {
            assert!(left_for("mint $A $MY_TOKEN $SSHPASS", EnvPolicy::Scrubbed, &[(name, value)]).is_empty());
        }
    }

    #[test]
    fn s_n20_a_proxy_stays_without_its_password() {
        for (name, value, expected) in [
            ("HTTPS_PROXY", "http://u:canary@proxy.corp:3128", "http://proxy.corp:3128"),
            ("http_proxy", "http://canary@proxy.corp:3128/", "http://proxy.corp:3128/"),
            ("ALL_PROXY", "socks5h://u:ca@nary@proxy.corp:1080", "socks5h://proxy.corp:1080"),
            ("https_proxy", "http://u:ca/na#ry@proxy.corp:3128", "http://proxy.corp:3128"),
            ("all_proxy", "u:canary@proxy.corp:3128", "proxy.corp:3128"),
            ("all_proxy", "socks5://canary@proxy.corp:1080", "socks5://proxy.corp:1080"),
            ("ALL_PROXY", "canary@proxy.corp:1080", "proxy.corp:1080"),
            ("grpc_proxy", "ssh://c@proxy.corp", "ssh://proxy.corp"),
            ("npm_config_https_proxy", "http://u:canary@proxy.corp", "http://proxy.corp"),
            ("NO_PROXY", "localhost,.corp,10.0.0.0/8", "localhost,.corp,10.0.0.0/8"),
            ("HTTP_PROXY", "http://proxy.corp:3128", "http://proxy.corp:3128"),
        ] {
            assert_eq!(left(EnvPolicy::Scrubbed, &[(name, value)]), [format!("{name}={expected}")]);
            assert_eq!(left(EnvPolicy::Inherit, &[(name, value)]), [format!("{name}={value}")]);
        }
    }

    #[test]
    fn s_k12_a_copy_of_what_has_gone_goes_too() {
        let variables = [
            ("DB_PASSWORD", "s3cr3t-canary"),
            ("PGOPTIONS", "--x s3cr3t-canary"),
            ("LC_GREETING", "s3cr3t"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-1a2b/agent.7"),
            ("SOCK_COPY", "/tmp/ssh-1a2b/agent.7"),
        ];
        assert_eq!(
            left(EnvPolicy::Scrubbed, &variables),
            ["LC_GREETING=s3cr3t", "SOCK_COPY=/tmp/ssh-1a2b/agent.7"]
        );
    }

    #[test]
    fn s_k12_git_still_runs_without_what_was_taken_from_its_settings() {
        let variables = [
            ("GIT_CONFIG_COUNT", "3"),
            ("GIT_CONFIG_KEY_0", "http.extraHeader"),
            ("GIT_CONFIG_VALUE_0", "Authorization: Basic canary"),
            ("GIT_CONFIG_KEY_1", "url.https://canary@github.example/.insteadOf"),
            ("GIT_CONFIG_VALUE_1", "https://github.example/"),
            ("GIT_CONFIG_KEY_2", "user.name"),
            ("GIT_CONFIG_VALUE_2", "Me"),
        ];
        assert_eq!(
            left(EnvPolicy::Scrubbed, &variables),
            [
                "GIT_CONFIG_COUNT=3",
                "GIT_CONFIG_KEY_0=http.extraHeader",
                "GIT_CONFIG_KEY_1=mcp.removed",
                "GIT_CONFIG_KEY_2=user.name",
                "GIT_CONFIG_VALUE_0=",
                "GIT_CONFIG_VALUE_1=https://github.example/",
                "GIT_CONFIG_VALUE_2=Me",
            ]
        );
    }

    #[test]
    fn f016_credential_like_variables_are_told_by_whole_parts() {
        for name in ["TOKEN", "my_pat", "AWS_SECRET_ACCESS_KEY", "SENTRY_DSN", "SSH_AUTH_SOCK", "PGPASSWORD"]
        {
            assert!(EnvPolicy::Scrubbed.removes(name), "{name}");
            assert!(!EnvPolicy::Inherit.removes(name), "{name}");
        }
        for name in ["PATH", "PATTERN", "MONKEY", "AUTHOR", "GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "_", ""]
        {
            assert!(!EnvPolicy::Scrubbed.removes(name), "{name}");
        }
    }

    #[test]
    fn what_a_helper_needs_stays() {
        let variables = [
            ("AWS_PROFILE", "prod-1"),
            ("AWS_REGION", "eu-west-1"),
            ("CLAUDE_CODE_MCP_SERVER_NAME", "x7Y z"),
            ("CLOUDSDK_CORE_PROJECT", "my-project-42"),
            ("CORP_SSO", "https://sso1.corp.example:8443/realms/main"),
            ("CORP_SSO_HOST", "sso.corp.example:443"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus,guid=0"),
            ("DEBUG", ""),
            ("GH_HOST", "github.corp.example"),
            ("HOME", "/home/me"),
            ("HTTP_TIMEOUT_MS", "300000"),
            ("KUBECONFIG", "/home/me/.kube/config:/home/me/.kube/dev 2.yaml"),
            ("LANG", "en_US.UTF-8"),
            ("LC_ALL", "C"),
            ("LOCAL_SERVER", "localhost:8080"),
            ("MCPLINK_CHAIN", "a@0a1b2c3d4e5f60718293,~"),
            ("MONKEY", "business"),
            ("NODE_OPTIONS", "--use-openssl-ca --max-old-space-size=4096"),
            ("NVM_DIR", "~/.nvm"),
            ("OLDPWD", "/home/me/a"),
            ("PATH", "/nix/store/0a1b2c3d4e5f6g7h8i9j0k1l-x/bin:/usr/bin"),
            ("PATTERN", "survives"),
            ("PWD", "/home/me"),
            ("PYTHON", "3.12.1"),
            ("REPO", "git@github.example:me/x.git"),
            ("REPO_SSH", "ssh://git@github.example/me/x.git"),
            ("SSH_CONNECTION", "10.0.0.1 50000 10.0.0.2 22"),
            ("SYSTEMROOT", "C:\\Windows"),
            ("TERM", "xterm-256color"),
            ("TOOLS_DIR", "C:\\Program Files\\Corp;D:/tools"),
            ("TZ", ":/etc/localtime"),
            ("VAULT_ADDR", "https://vault1.prod.example:8200"),
            ("XDG_SESSION_ID", "c2x9"),
        ];
        let expected: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(left(EnvPolicy::Scrubbed, &variables), expected);
    }

    #[test]
    fn what_is_made_of_a_variable_is_hidden_as_it_is() {
        assert!(EnvPolicy::Scrubbed.hides("MY_TOKEN", "x") && !EnvPolicy::Inherit.hides("MY_TOKEN", "x"));
        assert!(
            EnvPolicy::Scrubbed.hides("U", "https://u:canary@h")
                && !EnvPolicy::Scrubbed.hides("U", "https://h")
        );
        assert!(EnvPolicy::Inherit.hides("MCP_CLIENT_SECRET", "x"));
    }
}
