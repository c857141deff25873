//! A list as servers write it.

use std::borrow::Cow;

use crate::message::envelope::{members, pick};

/// A list that a server has written as an object: PHP does that with an array whose numbers have gaps, and others have the name of
/// each item for its key. Anything else is what it is.
pub(crate) fn as_list(of_page: &str) -> Cow<'_, str> {
    const TELLING: [&str; 5] = ["name", "uri", "uriTemplate", "description", "inputSchema"];
    let mut list = "[".to_owned();
    let read = members(of_page, |key, value| {
        let [name, rest @ ..] = pick(value, TELLING)?;
        name.or_else(|| rest.into_iter().flatten().next())?;
        if list.len() > 1 {
            list.push(',');
        }
        let is_number = key.trim_matches('"').bytes().all(|byte| byte.is_ascii_digit());
        match value.strip_prefix('{').filter(|_| name.is_none() && !is_number) {
            Some(rest) => list.extend(["{\"name\":", key, ",", rest]),
            None => list.push_str(value),
        }
        Some(())
    });
    match read {
        Some(()) => Cow::Owned(list + "]"),
        None => Cow::Borrowed(of_page),
    }
}
