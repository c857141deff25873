//! A person in front of a browser, who fills in forms: the pages of real authorization servers, without a real browser.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use url::{Url, form_urlencoded};

use mcp_testkit::{FakeBrowser, PageRequest, Visit, request};

/// Longer than any way through pages that leads somewhere.
const STEPS: usize = 25;

/// A person whose browser is [`command`](Self::command): they follow every redirect, keep cookies, fill each empty field
/// with `alice`, and press the first button of the first form. Dropping it ends the person.
#[derive(Debug)]
pub struct Person {
    browser: Arc<FakeBrowser>,
    visits: Arc<Mutex<Vec<Visit>>>,
    gone: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Person {
    /// A person who waits to be shown a page.
    ///
    /// # Errors
    ///
    /// When the script of the browser cannot be written.
    pub fn new() -> io::Result<Self> {
        let browser = Arc::new(FakeBrowser::idle()?);
        let (visits, gone) = (Arc::<Mutex<Vec<Visit>>>::default(), Arc::<AtomicBool>::default());
        let thread = {
            let (browser, visits, gone) = (Arc::clone(&browser), Arc::clone(&visits), Arc::clone(&gone));
            std::thread::spawn(move || {
                let (mut shown, mut cookies) = (0, Cookies::default());
                while !gone.load(Ordering::Acquire) {
                    for url in browser.arguments().iter().skip(shown) {
                        shown += 1;
                        let note = |visit| visits.lock().unwrap_or_else(PoisonError::into_inner).push(visit);
                        // What is not a URL is not a page; the test sees that nothing was visited.
                        let Ok(url) = Url::parse(url) else { continue };
                        if let Err(error) = walk(url.clone(), &mut cookies, note) {
                            note(Visit::new(url, 0, format!("nothing further: {error}")));
                        }
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
            })
        };
        Ok(Self { browser, visits, gone, thread: Some(thread) })
    }

    /// The path of the script to put into the `BROWSER` variable.
    #[must_use]
    pub fn command(&self) -> String {
        self.browser.command()
    }

    /// Every page on the way, in order; one with the status 0 could not be reached, and says why.
    #[must_use]
    pub fn visits(&self) -> Vec<Visit> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A person who panicked has told so already.
            let _ = thread.join();
        }
    }
}

/// Goes on from a URL until there is nothing to follow and nothing to press.
fn walk(start: Url, cookies: &mut Cookies, note: impl Fn(Visit)) -> io::Result<()> {
    let (mut next, mut form) = (start, None::<String>);
    for _ in 0..STEPS {
        let sent = cookies.for_url(&next);
        let asked = PageRequest::new(&next).with_form(form.as_deref()).with_cookies(&sent);
        let answer = request(&asked)?;
        cookies.note(&next, &answer.header("set-cookie"));
        note(Visit::new(next.clone(), answer.status, answer.body.clone()));
        if let Some(location) = answer.location() {
            (next, form) = (next.join(location).map_err(io::Error::other)?, None);
        } else if let Some(found) = Form::first(&answer.body) {
            (next, form) = found.filled(&next)?;
        } else {
            return Ok(());
        }
    }
    Err(io::Error::other("there is no end to the pages"))
}

/// The cookies of all hosts; those of a host count on all of its ports, as in a browser.
#[derive(Debug, Default)]
struct Cookies(BTreeMap<(String, String, String), String>);

impl Cookies {
    fn note(&mut self, url: &Url, set: &[&str]) {
        let host = url.host_str().unwrap_or_default();
        for cookie in set {
            let mut parts = cookie.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|first| first.split_once('=')) else { continue };
            let attributes: Vec<(String, &str)> = parts
                .filter_map(|part| part.split_once('='))
                .map(|(n, v)| (n.to_ascii_lowercase(), v))
                .collect();
            let of =
                |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
            let key = (host.to_owned(), of("path").unwrap_or("/").to_owned(), name.to_owned());
            let ended = value.is_empty() || of("max-age").is_some_and(|age| age.trim() == "0");
            if ended {
                self.0.remove(&key);
            } else {
                self.0.insert(key, value.to_owned());
            }
        }
    }

    fn for_url(&self, url: &Url) -> String {
        let host = url.host_str().unwrap_or_default();
        let fits = |path: &str| {
            let path = path.trim_end_matches('/');
            url.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mine = self.0.iter().filter(|((of, path, _), _)| of == host && fits(path));
        mine.map(|((_, _, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// A form of a page.
#[derive(Debug)]
struct Form {
    action: String,
    posts: bool,
    fields: Vec<(String, String)>,
}

impl Form {
    fn first(page: &str) -> Option<Self> {
        let lower = page.to_ascii_lowercase();
        let start = lower.find("<form")?;
        let end = lower[start..].find("</form").map_or(page.len(), |end| start + end);
        let mut tags = page[start..end].split('<').skip(1);
        let form = Attributes::of(tags.next()?);
        let mut fields = Vec::new();
        let mut pressed = false;
        for tag in tags {
            let name = tag
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let attributes = Attributes::of(tag);
            let kind = attributes.get("type").unwrap_or_default();
            let is_button = name == "button" || (name == "input" && kind == "submit");
            if !(name == "input" || name == "button") || (is_button && pressed) || kind == "button" {
                continue;
            }
            pressed |= is_button;
            let Some(field) = attributes.get("name") else { continue };
            let value =
                attributes.get("value").filter(|value| !value.is_empty() || is_button || kind == "hidden");
            fields.push((field, value.unwrap_or_else(|| "alice".to_owned())));
        }
        let posts = form.get("method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
        Some(Self { action: form.get("action").unwrap_or_default(), posts, fields })
    }

    /// Where it is sent, and the body of a form that is posted.
    fn filled(self, page: &Url) -> io::Result<(Url, Option<String>)> {
        let mut url = page.join(&self.action).map_err(io::Error::other)?;
        let fields = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.fields).finish();
        if self.posts {
            return Ok((url, Some(fields)));
        }
        url.set_query(Some(&fields));
        Ok((url, None))
    }
}

/// The attributes of one tag.
#[derive(Debug)]
struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// Of the text behind `<`.
    fn of(tag: &str) -> Self {
        let mut found = Vec::new();
        let mut rest = tag.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
            let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>')).unwrap_or(rest.len());
            if end == 0 {
                return Self(found);
            }
            let name = rest[..end].to_ascii_lowercase();
            rest = rest[end..].trim_start();
            let mut value = "";
            if let Some(after) = rest.strip_prefix('=') {
                let after = after.trim_start();
                let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
                let (inner, stop) = match quote {
                    Some(quote) => (&after[1..], after[1..].find(quote)),
                    None => (after, after.find(|c: char| c.is_whitespace() || c == '>')),
                };
                let stop = stop.unwrap_or(inner.len());
                value = &inner[..stop];
                rest = &inner[(stop + usize::from(quote.is_some())).min(inner.len())..];
            }
            found.push((name, unescaped(value)));
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// The references that servers write into attributes.
fn unescaped(text: &str) -> String {
    [
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#x2F;", "/"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (written, meant)| text.replace(written, meant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_button_of_the_first_form_is_pressed_and_empty_fields_are_filled() {
        let page = r#"<h1>x</h1><FORM autocomplete="off" action='/in?a=1&amp;b=2' method=post>
            <input type="hidden" name="ticket" value="t&quot;1"/><input name=login type="text" required>
            <input type="password" name="password" value="">
            <button name="action" value="approve">Allow</button><button name="action" value="deny">No</button>
            </form><form action="/other"></form>"#;
        let form = Form::first(page).unwrap();
        assert!(form.posts);
        let (url, body) = form.filled(&Url::parse("http://127.0.0.1:1/page").unwrap()).unwrap();
        assert_eq!(url.as_str(), "http://127.0.0.1:1/in?a=1&b=2");
        assert_eq!(body.unwrap(), "ticket=t%221&login=alice&password=alice&action=approve");
        assert!(Form::first("<p>nothing to press</p>").is_none());
    }

    #[test]
    fn cookies_are_of_a_host_and_a_path_and_end() {
        let url = |text: &str| Url::parse(text).unwrap();
        let mut cookies = Cookies::default();
        cookies.note(
            &url("http://127.0.0.1:1/"),
            &["a=1; Path=/; HttpOnly", "b=2; path=/deep", "c=3; Max-Age=0"],
        );
        assert_eq!(cookies.for_url(&url("http://127.0.0.1:2/x")), "a=1");
        assert_eq!(cookies.for_url(&url("http://127.0.0.1:1/deep/er")), "a=1; b=2");
        assert_eq!(cookies.for_url(&url("http://127.0.0.1:1/deeper")), "a=1");
        assert_eq!(cookies.for_url(&url("http://localhost:1/")), "");
        cookies.note(&url("http://127.0.0.1:1/"), &["a=; Path=/"]);
        assert_eq!(cookies.for_url(&url("http://127.0.0.1:1/")), "");
    }
}
