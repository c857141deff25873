//! One request as its caller makes it, and what comes of it.

use http::{HeaderName, HeaderValue};

use crate::deadline::Deadline;
use crate::message::Payload;
use crate::options::RequestOptions;

/// One request, as its caller makes it.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    /// The text of a JSON object.
    pub(crate) params: Option<&'a str>,
    /// What `Mcp-Name` mirrors; modern era over HTTP only.
    pub(crate) name: Option<&'a str>,
    /// The `Mcp-Param-*` headers; modern era over HTTP only.
    pub(crate) mirrored: Vec<(HeaderName, HeaderValue)>,
    pub(crate) options: &'a RequestOptions,
    /// When it is over, where its caller has set a limit.
    pub(crate) deadline: Option<Deadline>,
}

impl<'a> Call<'a> {
    /// A request of which nothing is mirrored into headers, whose time begins now.
    pub(crate) fn new(method: &'a str, params: Option<&'a str>, options: &'a RequestOptions) -> Self {
        let deadline = Deadline::of(options);
        Self { method, params, name: None, mirrored: Vec::new(), options, deadline }
    }
}

/// The last word of a server on a request.
pub(crate) struct Answer {
    pub(crate) result: Payload,
    /// Whether it may depend on what the server asked for on the way.
    pub(crate) asked: bool,
    /// The tools of a page that the filter of the connection left out, and how many bytes they took.
    pub(crate) withheld: Vec<WithheldTool>,
    pub(crate) left_out: usize,
}

impl Answer {
    pub(crate) fn new(result: Payload, asked: bool) -> Self {
        Self { result, asked, withheld: Vec::new(), left_out: 0 }
    }
}

/// A tool that is left out of a list.
#[derive(Debug)]
pub(crate) struct WithheldTool {
    pub(crate) name: String,
    pub(crate) why: String,
    /// Its definition is the reason, and not its name.
    pub(crate) is_unapproved: bool,
}
