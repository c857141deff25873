//! Where the keys are: variables of the environment, a profile in AWS's files, or the command that the profile names.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use mcp_files::{Policy, Stamp};
use serde_json::Value;

use super::profile::{Kind, Profile, profile};
use super::sign::AwsKeys;
use crate::settings::AwsSpec;
use crate::settings::unattended::AWS_NAME;
use crate::{
    AuthError, AuthErrorKind, AuthFuture, CredentialSource, Credentials, FetchReason, Secret, Target, helper,
};

/// Larger than a file of many hundred profiles, in bytes.
const MAX_FILE: u64 = 1 << 20;
const MAX_NAME: usize = 60;

/// Settings of a profile whose keys only AWS's own program gets.
const NOT_OURS: [&str; 7] = [
    "sso_session",
    "sso_start_url",
    "role_arn",
    "web_identity_token_file",
    "source_profile",
    "credential_source",
    "login_session",
];

/// Keys of AWS, and signatures with them. Nothing is read until credentials are asked for. They are read again after a refusal,
/// and once a file has changed.
#[derive(Debug)]
pub struct AwsSource {
    spec: AwsSpec,
    target: Target,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The signer in use: keys that are read again and are the same keep it, so that a repeated refusal is recognised.
    signer: Option<Arc<AwsKeys>>,
    /// What was at the paths of the two files when they were read last.
    seen: Option<[Stamp; 2]>,
}

/// Keys, and until when they are good.
struct KeySet {
    id: String,
    secret: Secret,
    session: Option<Secret>,
    until: Option<SystemTime>,
    region: Option<String>,
}

impl AwsSource {
    /// The keys as `spec` says, for `target`.
    pub fn new(spec: &AwsSpec, target: &Target) -> Self {
        Self { spec: spec.clone(), target: target.clone(), state: Mutex::default() }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stamps(&self) -> [Stamp; 2] {
        self.spec.files().map(|file| file.map(|file| Stamp::of(&file)).unwrap_or_default())
    }

    async fn read(&self) -> Result<Credentials, AuthError> {
        // Taken before the files are read, so that a change during the reading is noticed by the next request.
        let stamps = self.stamps();
        let found = self.found().await?;
        let region = self.spec.region.clone().or(found.region);
        let region = region.or_else(|| {
            ["AWS_REGION", "AWS_DEFAULT_REGION"]
                .iter()
                .find_map(|name| self.spec.variable(name))
                .map(str::to_owned)
        });
        let Some(region) = region else {
            return Err(failed("no region is known".to_owned())
                .with_hint("write `region` into `auth` of the entry, or set AWS_REGION"));
        };
        let keys = AwsKeys::new(found.id, found.secret, region, &*self.spec.service)
            .with_session_token(found.session);
        let mut state = self.state();
        state.seen = Some(stamps);
        let signer = match state.signer.take().filter(|before| before.is(&keys)) {
            Some(before) => before,
            None => Arc::new(keys),
        };
        state.signer = Some(signer.clone());
        Ok(Credentials::new(AWS_NAME, []).with_signer(signer).with_expiry(found.until))
    }

    async fn found(&self) -> Result<KeySet, AuthError> {
        // A profile that the entry names wins over keys in the environment.
        if self.spec.profile.is_none()
            && let (Some(id), Some(secret)) =
                (self.spec.variable("AWS_ACCESS_KEY_ID"), self.spec.variable("AWS_SECRET_ACCESS_KEY"))
        {
            let session = self.spec.variable("AWS_SESSION_TOKEN").map(Secret::new);
            return Ok(KeySet {
                id: id.to_owned(),
                secret: Secret::new(secret),
                session,
                until: None,
                region: None,
            });
        }
        let named = self.spec.profile.as_deref().or_else(|| self.spec.variable("AWS_PROFILE"));
        let name = named.unwrap_or("default");
        let shown = mcp_text::name(name, MAX_NAME);
        let [credentials, config] = self.spec.files();
        let said = section(config, Kind::Config, name).await?;
        let own = section(credentials, Kind::Credentials, name).await?;
        if said.is_none() && own.is_none() {
            let what = match named {
                Some(_) => format!("there is no profile {shown} in the files of AWS"),
                None => "there are none in the environment, and no profile `default` in the files of AWS"
                    .to_owned(),
            };
            return Err(failed(what).with_hint(format!("run `aws configure --profile {shown}`")));
        }
        let mut settings = said.unwrap_or_default();
        settings.extend(own.unwrap_or_default());
        let region = settings.get("region").filter(|region| !region.is_empty()).cloned();
        if let (Some(id), Some(secret)) =
            (settings.get("aws_access_key_id"), settings.get("aws_secret_access_key"))
        {
            let session =
                settings.get("aws_session_token").filter(|token| !token.is_empty()).map(Secret::new);
            return Ok(KeySet { id: id.clone(), secret: Secret::new(secret), session, until: None, region });
        }
        if let Some(command) = settings.get("credential_process") {
            let mut process = self.spec.process.clone();
            process.command.clone_from(command);
            let printed = helper::printed(&process, &self.target, "the keys of AWS").await?;
            return printed_keys(&printed, region).ok_or_else(|| {
                // Security: what it printed may be keys.
                failed(format!(
                    "the credential_process of the profile {shown} printed something else than keys"
                ))
                .with_hint("have `credential_process` print an object with Version 1, AccessKeyId and SecretAccessKey")
            });
        }
        let by = NOT_OURS.iter().find(|setting| settings.contains_key(**setting));
        Err(match by {
            Some(by) => failed(format!(
                "the profile {shown} has them by `{by}`, which AWS's own program does"
            ))
            .with_hint(
                "give another profile `credential_process = aws configure export-credentials --profile NAME`",
            ),
            None => failed(format!("the profile {shown} has no keys"))
                .with_hint(format!("run `aws configure --profile {shown}`")),
        })
    }
}

/// What a file says of a profile; nothing where there is no such file.
async fn section(path: Option<PathBuf>, kind: Kind, name: &str) -> Result<Option<Profile>, AuthError> {
    let Some(path) = path else { return Ok(None) };
    let in_file = |why: &str| failed(format!("{}: {why}", path.display()));
    let file = path.clone();
    // Owned by this account or root: another owner could replace the identity that is used, and name a command.
    let policy = Policy::surroundings(MAX_FILE).owned();
    let read = tokio::task::spawn_blocking(move || mcp_files::read(&file, &policy)).await;
    let bytes = match read.map_err(|_| in_file("it could not be read"))? {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(in_file(&error.to_string())),
    };
    let text = String::from_utf8(bytes).map_err(|_| in_file("it is not UTF-8"))?;
    Ok(profile(&text, kind, name))
}

/// What a `credential_process` prints ("Sourcing credentials with an external process" of AWS's reference).
fn printed_keys(text: &str, region: Option<String>) -> Option<KeySet> {
    let printed: Value = serde_json::from_str(text).ok()?;
    let member = |name: &str| printed.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if printed.get("Version").and_then(Value::as_u64) != Some(1) {
        return None;
    }
    let until = match printed.get("Expiration") {
        None | Some(Value::Null) => None,
        Some(stated) => Some(helper::stated(stated)?),
    };
    Some(KeySet {
        id: member("AccessKeyId")?.to_owned(),
        secret: Secret::new(member("SecretAccessKey")?),
        session: member("SessionToken").map(Secret::new),
        until,
        region,
    })
}

fn failed(why: String) -> AuthError {
    AuthError::new(AuthErrorKind::SourceFailed, format!("find keys of AWS: {why}"))
}

impl CredentialSource for AwsSource {
    fn name(&self) -> &str {
        AWS_NAME
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.read())
    }

    fn is_outdated(&self) -> bool {
        let seen = self.state().seen;
        seen.is_some_and(|seen| seen != self.stamps())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::contract::{self, Subject};
    use crate::settings::HelperSpec;
    use crate::{AuthProvider as _, SingleFlight};

    struct Home(tempfile::TempDir);

    impl Home {
        fn new(files: &[(&str, &str)]) -> Self {
            let home = tempfile::tempdir().unwrap();
            std::fs::create_dir(home.path().join(".aws")).unwrap();
            let this = Self(home);
            files.iter().for_each(|(name, text)| this.write(name, text));
            this
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(".aws").join(name), text).unwrap();
        }

        fn source(&self, profile: Option<&str>, variables: &[(&str, &str)]) -> AwsSource {
            let mut process = HelperSpec::new("", "/");
            let home = [("HOME", self.0.path().to_str().unwrap()), ("PATH", "/usr/bin:/bin")];
            process.env = home
                .iter()
                .chain(variables)
                .map(|(name, value)| (name.into(), value.into()))
                .collect::<BTreeMap<_, _>>();
            let mut spec = AwsSpec::new("lambda", process);
            spec.profile = profile.map(str::to_owned);
            AwsSource::new(&spec, &Target::new("web", "https://h.example/mcp".parse().unwrap()))
        }
    }

    const KEYS: &str = "[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = canary\nregion = eu-west-1\n\
        [process]\ncredential_process = cat \"$HOME/.aws/printed\"\nregion = eu-west-1\n[sso]\nsso_session = x\n[bare]\nregion = a\n";
    const PRINTED: &str = r#"{"Version": 1, "AccessKeyId": "AKPRINTED", "SecretAccessKey": "canary", "SessionToken": "canary-t",
        "Expiration": "2100-01-01T00:00:00Z"}"#;
    const IN_ENVIRONMENT: [(&str, &str); 2] =
        [("AWS_ACCESS_KEY_ID", "AKENV"), ("AWS_SECRET_ACCESS_KEY", "canary")];

    /// The key and region that it signs with, or why it does not.
    async fn signs(source: &AwsSource) -> Result<String, String> {
        let credentials =
            source.read().await.map_err(|error| format!("{error}; {}", error.hint().unwrap_or("-")))?;
        let (mut headers, url) = (http::HeaderMap::new(), "https://h.example/mcp".parse().unwrap());
        credentials.sign(&http::Method::POST, &url, &mut headers, &bytes::Bytes::new()).await.unwrap();
        let authorization = headers[http::header::AUTHORIZATION].to_str().unwrap();
        assert!(!format!("{source:?}{credentials:?}").contains("canary"));
        let scope: Vec<_> = authorization.split(['=', '/', ',']).collect();
        Ok(format!("{} {}", scope[1], scope[3]))
    }

    #[tokio::test]
    async fn keys_are_where_the_programs_of_aws_have_them() {
        let home = Home::new(&[
            ("credentials", KEYS),
            ("printed", PRINTED),
            ("config", "[profile bare]\naws_access_key_id = AKCONFIG\naws_secret_access_key = x\n"),
        ]);
        let region = [("AWS_REGION", "us-west-2")];
        for (profile, variables, expected) in [
            (None, &[][..], Ok("AKDEFAULT eu-west-1")),
            (None, &[IN_ENVIRONMENT[0], IN_ENVIRONMENT[1], region[0]][..], Ok("AKENV us-west-2")),
            (None, &IN_ENVIRONMENT[..], Err("no region is known; write `region`")),
            (None, &[IN_ENVIRONMENT[0]][..], Ok("AKDEFAULT eu-west-1")),
            (Some("default"), &IN_ENVIRONMENT[..], Ok("AKDEFAULT eu-west-1")),
            (None, &[("AWS_PROFILE", "process")][..], Ok("AKPRINTED eu-west-1")),
            (Some("bare"), &[][..], Ok("AKCONFIG a")),
            (Some("sso"), &[][..], Err("by `sso_session`")),
            (
                Some("none"),
                &[][..],
                Err("there is no profile none in the files of AWS; run `aws configure --profile none`"),
            ),
            (None, &[("HOME", "/nowhere")][..], Err("no profile `default`")),
        ] {
            let signed = signs(&home.source(profile, variables)).await;
            match expected {
                Ok(expected) => assert_eq!(signed.as_deref(), Ok(expected), "{profile:?}"),
                Err(said) => assert!(
                    signed.as_ref().is_err_and(|error| error.contains(said)),
                    "{profile:?}: {signed:?}"
                ),
            }
        }
    }

    #[tokio::test]
    async fn what_a_process_prints_is_keys_with_an_end_or_its_failure_and_never_shown() {
        let home = Home::new(&[
            ("config", "[profile p]\ncredential_process = cat \"$HOME/.aws/printed\"\nregion = a\n"),
            ("printed", PRINTED),
        ]);
        let source = home.source(Some("p"), &[]);
        let until = source.read().await.unwrap().expires_at().unwrap();
        assert!(until > SystemTime::now() + Duration::from_secs(3600));
        for printed in [
            "canary",
            "{}",
            r#"{"Version": 2, "AccessKeyId": "canary", "SecretAccessKey": "canary"}"#,
            r#"{"Version": 1, "AccessKeyId": "canary"}"#,
            r#"{"Version": 1, "AccessKeyId": "canary", "SecretAccessKey": "canary", "Expiration": "canary"}"#,
        ] {
            home.write("printed", printed);
            let error = signs(&source).await.unwrap_err();
            assert!(
                error.contains("printed something else than keys") && !error.contains("canary"),
                "{error}"
            );
        }
    }

    #[tokio::test]
    async fn a_file_that_is_another_one_counts_from_the_next_request_on() {
        let home = Home::new(&[("credentials", KEYS)]);
        let provider = SingleFlight::new(home.source(None, &[]));
        let before = provider.credentials().await.unwrap();
        // Looked up again, the same keys are the same credentials: what was refused with them is not sent again.
        provider.invalidate();
        assert!(before.same_headers(&provider.credentials().await.unwrap()));
        home.write("credentials", &KEYS.replace("AKDEFAULT", "AKREPLACED-BY-ANOTHER"));
        assert!(!before.same_headers(&provider.credentials().await.unwrap()));
    }

    #[tokio::test]
    async fn it_keeps_the_contract_of_a_provider() {
        let home = Home::new(&[("credentials", KEYS)]);
        contract::check(|| Subject::new(SingleFlight::new(home.source(None, &[]))).with_secret("canary"))
            .await
            .unwrap();
        contract::check_failing(|| Subject::new(SingleFlight::new(home.source(Some("none"), &[]))))
            .await
            .unwrap();
    }
}
