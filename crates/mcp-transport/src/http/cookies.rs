//! Cookies of load balancers: what a server sets is sent back to it, so that a session stays with the instance that knows
//! it (RFC 6265, as far as one origin needs it).
//!
//! They live as long as the connection, in memory, and go to the origin of its endpoint alone.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, header};
use mcp_auth::url_policy::is_loopback;
use mcp_text::Secrets;
use tokio::time::Instant;
use url::Url;

/// How many cookies are kept; the oldest one goes.
const MAX_COOKIES: usize = 32;
/// How long one may be, name and value together (RFC 6265 section 6.1), and all that are sent, in bytes.
const MAX_COOKIE: usize = 4096;
const MAX_SENT: usize = 8192;

/// The cookies of one origin.
#[derive(Default)]
pub(crate) struct Cookies(Mutex<Vec<Cookie>>);

struct Cookie {
    name: String,
    value: String,
    path: String,
    /// Over TLS alone, or to this machine.
    secure: bool,
    ends: Option<Instant>,
}

impl Cookies {
    /// Takes what the answer from `url` sets.
    pub(crate) fn take(&self, url: &Url, headers: &HeaderMap) {
        let now = (Instant::now(), SystemTime::now());
        for value in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = value.to_str().ok().and_then(|text| Cookie::read(text, url, now)) else {
                // Security: not even its name is told.
                tracing::debug!("ignored a cookie that cannot be kept");
                continue;
            };
            let mut kept = self.kept();
            kept.retain(|other| other.name != cookie.name || other.path != cookie.path);
            if cookie.ends.is_some_and(|ends| ends <= now.0) {
                continue;
            }
            if kept.len() == MAX_COOKIES {
                kept.remove(0);
            }
            kept.push(cookie);
        }
    }

    /// Adds them to a request to `url`. A cookie of the configuration stays, and wins where the names are the same.
    pub(crate) fn add(&self, url: &Url, headers: &mut HeaderMap) {
        let kept = self.kept();
        if kept.is_empty() {
            return;
        }
        let configured = match headers.get(header::COOKIE).map(HeaderValue::to_str) {
            None => "",
            Some(Ok(configured)) => configured,
            // What cannot be read cannot be added to.
            Some(Err(_)) => return,
        };
        let has = |name: &str| {
            configured.split(';').any(|pair| pair.split('=').next().unwrap_or_default().trim() == name)
        };
        let now = Instant::now();
        let mut sent = configured.trim().trim_end_matches(';').to_owned();
        for cookie in kept.iter().filter(|cookie| cookie.is_for(url, now) && !has(&cookie.name)) {
            let separator = if sent.is_empty() { "" } else { "; " };
            if sent.len() + separator.len() + cookie.name.len() + 1 + cookie.value.len() > MAX_SENT {
                break;
            }
            sent.extend([separator, &cookie.name, "=", &cookie.value]);
        }
        if let Ok(mut value) = HeaderValue::from_str(&sent)
            && !sent.is_empty()
        {
            // Security: who knows it is taken for this session by whatever set it.
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }

    /// What must not be repeated of a server's words.
    pub(crate) fn hide_in(&self, secrets: &mut Secrets) {
        self.kept().iter().for_each(|cookie| secrets.insert(&cookie.value));
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Cookie>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookies({})", self.kept().len())
    }
}

impl Cookie {
    /// Reads a `Set-Cookie` (RFC 6265 section 5.2); `None` where it is for another host, or is none.
    fn read(text: &str, from: &Url, (now, today): (Instant, SystemTime)) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_text = |text: &str| text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b';');
        if name.is_empty() || name.len() + value.len() > MAX_COOKIE || !is_text(name) || !is_text(value) {
            return None;
        }
        let mut cookie = Self {
            name: name.to_owned(),
            value: value.to_owned(),
            path: default_path(from.path()),
            secure: false,
            ends: None,
        };
        let (mut age, mut date) = (None, None);
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            let value = value.trim();
            match name.trim().to_ascii_lowercase().as_str() {
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "domain" if !covers(value, from) => return None,
                "secure" => cookie.secure = true,
                "max-age" => age = value.parse::<i64>().ok(),
                "expires" => date = date_of(value),
                _ => {}
            }
        }
        let left = match (age, date) {
            (Some(seconds), _) => Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
            (None, Some(date)) => Some(date.duration_since(today).unwrap_or_default()),
            (None, None) => None,
        };
        // One that ends after the end of time does not end.
        cookie.ends = left.and_then(|left| now.checked_add(left));
        Some(cookie)
    }

    fn is_for(&self, url: &Url, now: Instant) -> bool {
        // What goes to this machine is seen by no network, so clients count it as secure (RFC 6265 section 4.1.2.5 leaves that to them).
        (!self.secure || url.scheme() == "https" || is_loopback(url))
            && self.ends.is_none_or(|ends| ends > now)
            && url
                .path()
                .strip_prefix(&self.path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }
}

/// When a cookie ends: a date of RFC 9110, of which the older form has blanks or a year of four digits in the field.
fn date_of(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).or_else(|_| httpdate::parse_http_date(&text.replace('-', " "))).ok()
}

/// The path of a cookie that names none (section 5.1.4).
fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(end) => path[..end].to_owned(),
    }
}

/// Whether a cookie of this domain may be set by this host (section 5.1.3).
fn covers(domain: &str, from: &Url) -> bool {
    let domain = domain.trim_start_matches('.').to_ascii_lowercase();
    match from.host() {
        _ if domain.is_empty() => true,
        Some(url::Host::Domain(host)) => {
            host == domain || host.strip_suffix(&*domain).is_some_and(|rest| rest.ends_with('.'))
        }
        Some(host) => host.to_string() == domain,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    /// The `Cookie` header of a request to `to`, after an answer from the first URL that sets these.
    fn sent(from: &str, set: &[&str], to: &str, configured: Option<&'static str>) -> Option<String> {
        let cookies = Cookies::default();
        let mut headers = HeaderMap::new();
        for set in set {
            headers.append(header::SET_COOKIE, HeaderValue::from_str(set).unwrap());
        }
        cookies.take(&url(from), &headers);
        let mut headers = HeaderMap::new();
        if let Some(configured) = configured {
            headers.insert(header::COOKIE, HeaderValue::from_static(configured));
        }
        cookies.add(&url(to), &mut headers);
        headers.get(header::COOKIE).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn fb_r52_which_cookies_go_where() {
        let mcp = "https://h.example/mcp";
        for (from, set, to, expected) in [
            (mcp, vec!["AWSALB=n1; Path=/"], mcp, Some("AWSALB=n1")),
            (mcp, vec!["A=1; Path=/; Max-Age=604800; HttpOnly; SameSite=None; Secure"], mcp, Some("A=1")),
            (mcp, vec!["A=1", "B=2; path=/"], mcp, Some("A=1; B=2")),
            (mcp, vec!["A=1", "A=2"], mcp, Some("A=2")),
            (mcp, vec!["A=\"q v\""], mcp, Some("A=\"q v\"")),
            (mcp, vec!["A=x=y=="], mcp, Some("A=x=y==")),
            (mcp, vec!["A="], mcp, Some("A=")),
            // Ended, taken back, or not for here.
            (mcp, vec!["A=1", "A=; Max-Age=0"], mcp, None),
            (mcp, vec!["A=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], mcp, None),
            (mcp, vec!["A=1; Expires=Thu, 01-Jan-1970 00:00:00 GMT"], mcp, None),
            (mcp, vec!["A=1; Max-Age=-5"], mcp, None),
            (mcp, vec!["A=1; Max-Age=9223372036854775807"], mcp, Some("A=1")),
            (mcp, vec!["A=1; expires=Tuesday, 09-Nov-99 23:12:40 GMT"], mcp, None),
            (mcp, vec!["A=1; Expires=tomorrow"], mcp, Some("A=1")),
            (mcp, vec!["A=1; Path=/other"], mcp, None),
            (mcp, vec!["A=1; Path=/mc"], mcp, None),
            (mcp, vec!["A=1; Path=/mcp"], "https://h.example/mcp/x", Some("A=1")),
            (mcp, vec!["A=1; Domain=example"], mcp, Some("A=1")),
            (mcp, vec!["A=1; Domain=.h.example"], mcp, Some("A=1")),
            (mcp, vec!["A=1; Domain=evil.example"], mcp, None),
            (mcp, vec!["A=1; Domain=.example.h.example"], mcp, None),
            ("http://h.example/mcp", vec!["A=1; Secure"], "http://h.example/mcp", None),
            ("http://10.0.0.1/mcp", vec!["A=1; Secure"], "http://10.0.0.1/mcp", None),
            ("http://127.0.0.1:8080/mcp", vec!["A=1; Secure"], "http://127.0.0.1:8080/mcp", Some("A=1")),
            ("http://localhost/mcp", vec!["A=1; Path=/; Secure"], "http://localhost/mcp", Some("A=1")),
            ("http://[::1]/mcp", vec!["A=1; SameSite=None; Secure"], "http://[::1]/mcp", Some("A=1")),
            ("http://127.0.0.1/mcp", vec!["A=1; Domain=127.0.0.1"], "http://127.0.0.1/mcp", Some("A=1")),
            ("http://127.0.0.1/mcp", vec!["A=1; Domain=0.0.1"], "http://127.0.0.1/mcp", None),
            (mcp, vec!["no pair", "=1", "", "\u{e9}=1"], mcp, None),
        ] {
            assert_eq!(sent(from, &set, to, None).as_deref(), expected, "{from} {set:?} {to}");
        }
    }

    #[test]
    fn fb_r52_cookies_of_the_configuration_stay_and_win() {
        let mcp = "https://h.example/mcp";
        let with = |set: &str| sent(mcp, &[set], mcp, Some("me=1; A=mine;")).unwrap();
        assert_eq!(with("B=2"), "me=1; A=mine; B=2");
        assert_eq!(with("A=2"), "me=1; A=mine");
    }

    #[test]
    fn s_k2_fb_r52_what_a_server_sets_is_bounded_and_not_shown() {
        let mcp = url("https://h.example/mcp");
        let cookies = Cookies::default();
        let mut headers = HeaderMap::new();
        for index in 0..1000 {
            let set = format!("c{index}={}", "v".repeat(1000));
            headers.append(header::SET_COOKIE, HeaderValue::from_str(&set).unwrap());
        }
        headers.append(
            header::SET_COOKIE,
            HeaderValue::from_str(&format!("long={}", "v".repeat(5000))).unwrap(),
        );
        cookies.take(&mcp, &headers);
        assert_eq!(cookies.kept().len(), MAX_COOKIES);
        let mut headers = HeaderMap::new();
        cookies.add(&mcp, &mut headers);
        let sent = &headers[header::COOKIE];
        assert!(
            sent.len() <= MAX_SENT
                && sent.is_sensitive()
                && !format!("{headers:?} {cookies:?}").contains("vvv")
        );
        let mut secrets = Secrets::default();
        cookies.hide_in(&mut secrets);
        assert!(!secrets.hide(&format!("you sent {}", "v".repeat(1000))).contains("vvv"));
    }
}
