//! Typed views of the common requests. Payloads stay as they were sent; a view reads the members it knows.

pub(crate) mod definition;
pub(crate) mod list;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderName, HeaderValue};
use mcp_status::{Limit, LimitSubject};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::cache::{CacheHint, PagedHint};
use crate::call::{Call, WithheldTool};
use crate::connection::Connection;
use crate::deadline::Deadline;
use crate::error::{TimeoutStage, TransportError, TransportErrorKind};
use crate::lease::Lease;
use crate::limits::{ITEM_BYTES, Purpose};
use crate::message::envelope::{elements, pick};
use crate::message::object::write_string;
use crate::message::{HEADER_MISMATCH, Payload};
use crate::offered::{self, ToolName, mirrored_parameters};
use crate::options::RequestOptions;
use crate::options::relay::RelaySettings;
use crate::protocol::lenient;

pub use self::definition::{Tool, ToolView};
use self::list::as_list;

/// The answer to `tools/list`, all pages of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ToolList {
    /// The tools that can be called.
    pub tools: Vec<Tool>,
    /// Those that no one can call, with the reason: the specification forbids it (2026-07-28, tools, `x-mcp-header`), or they have no
    /// name that is text.
    pub rejected: Vec<(String, String)>,
    /// The names that are listed again with another definition, of which the first counts: a call reaches one tool.
    pub repeated: Vec<String>,
    /// Those that the [filter](crate::ToolFilter) of the connection leaves out, with the reason.
    pub withheld: Vec<(String, String)>,
    /// Those that it leaves out because their definitions are not approved, with what is so of each.
    pub unapproved: Vec<(String, String)>,
    /// What the filter says of tools that the server does not have, each a sentence.
    pub unmatched: Vec<String>,
    /// How long the list may be used again, from when it was complete, and by whom.
    pub cache: CacheHint,
    /// What it takes of the budget that all connections share.
    held: Option<Arc<Lease>>,
}

impl ToolList {
    /// Whether they are the same definitions in the same order.
    pub(crate) fn offers_the_same(&self, other: &Self) -> bool {
        let same = |(mine, theirs): (&Tool, &Tool)| mine.raw.get() == theirs.raw.get();
        self.tools.len() == other.tools.len()
            && self.rejected == other.rejected
            && self.repeated == other.repeated
            && self.tools.iter().zip(&other.tools).all(same)
    }
}

/// What the pages of a list hold.
#[derive(Default)]
struct ToolPages {
    items: Vec<Box<RawValue>>,
    withheld: Vec<WithheldTool>,
    hint: CacheHint,
    held: Option<Arc<Lease>>,
}

/// The members of a tool's result that this crate knows.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ToolResult<'a> {
    /// The content blocks, each as sent.
    #[serde(borrow, default, deserialize_with = "lenient::content")]
    pub content: Vec<&'a RawValue>,
    /// The structured result.
    #[serde(borrow, default)]
    pub structured_content: Option<&'a RawValue>,
    /// Whether the tool says that it failed.
    #[serde(default, deserialize_with = "lenient::truth")]
    pub is_error: bool,
}

impl<'a> ToolResult<'a> {
    /// Reads the result of a call: the text of a [`Payload`].
    ///
    /// # Errors
    ///
    /// [`Protocol`](TransportErrorKind::Protocol) where it is not a tool result: also where it is a task that was not asked
    /// for, or a question, which would otherwise look like a tool that has nothing to say.
    pub fn read(result: &'a str) -> Result<Self, TransportError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Other<'a> {
            #[serde(borrow, default)]
            content: Option<&'a RawValue>,
            #[serde(borrow, default)]
            structured_content: Option<&'a RawValue>,
            #[serde(borrow, default)]
            result_type: Option<Cow<'a, str>>,
            /// Of the revision 2025-11-25, where results have no type.
            #[serde(borrow, default)]
            task: Option<&'a RawValue>,
        }
        if let Ok(Other { content: None, structured_content: None, result_type, task }) =
            serde_json::from_str(result)
        {
            let kind = result_type.filter(|kind| kind != "complete").or(task.map(|_| "task".into()));
            if let Some(kind) = kind {
                return Err(invalid(
                    "tools/call",
                    format!("it is of type `{kind}`, not the result of a tool"),
                ));
            }
        }
        serde_json::from_str(result).map_err(|error| invalid("tools/call", error))
    }

    /// What its content blocks of the type `text` say, each from a new line on; empty where there are none.
    ///
    /// # Examples
    ///
    /// ```
    /// use mcp_transport::tools::ToolResult;
    ///
    /// let result = ToolResult::read(r#"{"content": [{"type": "text", "text": "42"}]}"#)?;
    /// assert_eq!(result.text(), "42");
    /// # Ok::<(), mcp_transport::TransportError>(())
    /// ```
    pub fn text(&self) -> String {
        #[derive(Deserialize)]
        struct Block<'a> {
            #[serde(rename = "type", borrow)]
            kind: Cow<'a, str>,
            #[serde(borrow, default)]
            text: Cow<'a, str>,
        }
        let blocks =
            self.content.iter().filter_map(|block| serde_json::from_str::<Block<'_>>(block.get()).ok());
        let texts: Vec<_> = blocks.filter(|block| block.kind == "text").map(|block| block.text).collect();
        texts.join("\n")
    }
}

/// Whether a page holds nothing. `null` and an empty object are what some serializers make of an empty array.
fn is_empty(of_page: &str) -> bool {
    let within = |open, close| of_page.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    of_page == "null"
        || within('[', ']').or_else(|| within('{', '}')).is_some_and(|inside| inside.trim_ascii().is_empty())
}

fn hash_of(of_page: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    of_page.hash(&mut hasher);
    hasher.finish()
}

impl Connection {
    /// Every tool of the server, each name once. An entry that is not a tool definition is left out.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn list_tools(&self, options: impl Into<RequestOptions>) -> Result<ToolList, TransportError> {
        self.tool_list(&options.into()).await
    }

    pub(crate) async fn tool_list(&self, options: &RequestOptions) -> Result<ToolList, TransportError> {
        let mirrors = self.mirrors_parameters();
        let mut list = ToolList::default();
        let mut headers = Vec::new();
        // From before the request on: a change while it is under way may be missing in the answer.
        let changes = self.tool_changes();
        let pages = self.pages("tools/list", "tools", options).await?;
        list.cache = pages.hint;
        list.held = pages.held;
        let mut listed = HashMap::new();
        for WithheldTool { name, why, is_unapproved } in pages.withheld {
            if is_unapproved { list.unapproved.push((name, why)) } else { list.withheld.push((name, why)) }
        }
        for raw in pages.items {
            let Ok(ToolName { name }) = serde_json::from_str(raw.get()) else {
                tracing::warn!("left out a tool without a name");
                list.rejected.push(unnamed(raw.get()));
                continue;
            };
            let tool = Tool { name, raw };
            if let Some(known) = listed.get(&tool.name).and_then(|at: &usize| list.tools.get(*at)) {
                if known.raw.get() != tool.raw.get() && !list.repeated.contains(&tool.name) {
                    list.repeated.push(tool.name);
                }
                continue;
            }
            match mirrors.then(|| mirrored_parameters(tool.raw.get())).transpose() {
                Ok(Some(Some(mirrored))) => headers.push((tool.name.clone(), mirrored)),
                Ok(_) => {}
                Err(reason) => {
                    // Which one and why is told to the caller; a log holds nothing that a server may have been sent.
                    tracing::warn!("left out a tool with an invalid definition");
                    list.rejected.push((tool.name, reason));
                    continue;
                }
            }
            listed.insert(tool.name.clone(), list.tools.len());
            list.tools.push(tool);
        }
        if let Some(filter) = self.inner().screen.as_ref().map(|screen| &screen.filter) {
            let others = [&list.withheld, &list.unapproved, &list.rejected];
            let others = others.into_iter().flatten().map(|(name, _)| name.as_str());
            let mut names = list.tools.iter().map(|tool| tool.name.as_str()).chain(others);
            list.unmatched = filter.unmatched(&mut names);
        }
        if mirrors {
            self.known_tools().remember(headers, list.cache, changes, Instant::now());
        }
        Ok(list)
    }

    /// Every item of a paginated list, as sent. `member` is the name of the array in a page.
    ///
    /// A server that hands out a cursor twice is not followed in circles (F111), and a page that came before, because it takes
    /// no notice of cursors or goes round, counts once. What all pages together may cost is
    /// bounded by [`Limits`](crate::limits::Limits), and how long they may take by the limit of the request, or that of one attempt
    /// to connect where it has none.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn list(
        &self,
        method: &str,
        member: &str,
        options: impl Into<RequestOptions>,
    ) -> Result<Vec<Box<RawValue>>, TransportError> {
        self.pages(method, member, &options.into()).await.map(|listed| listed.items)
    }

    async fn pages(
        &self,
        method: &str,
        member: &str,
        options: &RequestOptions,
    ) -> Result<ToolPages, TransportError> {
        let limit = options.timeout.unwrap_or_else(|| self.attempt_limit());
        let left = limit.saturating_sub(options.spent);
        let come = AtomicUsize::new(0);
        tokio::time::timeout(left, self.pages_as_they_come(method, member, options, &come))
            .await
            .unwrap_or_else(|_| {
                let kind = TransportErrorKind::Timeout { stage: TimeoutStage::Total };
                let message = format!("{method} did not come to its end in {}", mcp_text::time_limit(limit));
                let of = if options.timeout.is_some() { LimitSubject::Caller } else { LimitSubject::Attempt };
                // A list without an end is another thing than a server that says nothing.
                let said = match come.load(Ordering::Relaxed) {
                    0 => None,
                    pages => Some(format!("{pages} pages of {method} came, and each names another one")),
                };
                let error =
                    TransportError::new(kind, message).with_said(said).at_limit(Limit::new(limit, of));
                Err(error.with_limit_named(&self.inner().options.limit_names))
            })
    }

    async fn pages_as_they_come(
        &self,
        method: &str,
        member: &str,
        options: &RequestOptions,
        come: &AtomicUsize,
    ) -> Result<ToolPages, TransportError> {
        let budget = self.budget();
        let mut left = budget.limits.allowance_for(Purpose::List);
        let mut meter = budget.meter(left);
        let mut used = 0_usize;
        let mut hint = PagedHint::default();
        let (mut items, mut withheld) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        let mut params: Option<String> = None;
        let mut known_pages = HashSet::new();
        for _ in 0..budget.limits.pages {
            left.left = left.limit.saturating_sub(used);
            let options = RequestOptions { allowance: Some(left), ..options.clone() };
            let answer = self.in_rounds(&Call::new(method, params.as_deref(), &options)).await?;
            // What is left out of a page has been sent all the same.
            used = used.saturating_add(answer.left_out);
            withheld.extend(answer.withheld);
            let page = answer.result;
            let names = [member, "nextCursor", "ttlMs", "cacheScope"];
            let Some([of_page, cursor, ttl, scope]) = pick(page.get(), names) else {
                return Err(invalid(method, "the result is not an object"));
            };
            let of_page = of_page.ok_or_else(|| invalid(method, format!("no {member}")))?;
            let of_page = &*as_list(of_page);
            // The list begins again: cursors are not heard, go round, or an empty one means "no more" after all.
            if !is_empty(of_page) && !known_pages.insert(hash_of(of_page)) {
                tracing::warn!(method, "the server lists a page twice; the list ends here");
                return Ok(ToolPages {
                    items,
                    withheld,
                    hint: CacheHint::default(),
                    held: meter.take_lease(),
                });
            }
            used = used.saturating_add(page.get().len());
            let mut over = None;
            let read = elements(of_page, |item| {
                used = used.saturating_add(ITEM_BYTES);
                over = meter.admit(used).err();
                items.push(RawValue::from_string(item.to_owned()).ok().filter(|_| over.is_none())?);
                Some(())
            });
            if let Some(over) = over {
                return Err(over);
            }
            // `null` and an empty object are what some serializers make of an empty array.
            if read.is_none() && !is_empty(of_page) {
                return Err(invalid(method, format!("{member} is not an array")));
            }
            if self.is_modern() {
                let member = |name: &str| {
                    let text = if name == "ttlMs" { ttl } else { scope.filter(|_| name == "cacheScope") };
                    serde_json::from_str::<&RawValue>(text?).ok()
                };
                hint.page(CacheHint::of(member), Instant::now());
            }
            let cursor: Option<String> = cursor
                .and_then(|raw| serde_json::from_str(raw).ok())
                // For older servers, an empty cursor is in use for "no more". Since 2026-07-28 it is one like any other.
                .filter(|cursor: &String| self.is_modern() || !cursor.is_empty());
            come.fetch_add(1, Ordering::Relaxed);
            let Some(cursor) = cursor else {
                let hint = hint.whole(Instant::now());
                return Ok(ToolPages { items, withheld, hint, held: meter.take_lease() });
            };
            let mut next = b"{\"cursor\":".to_vec();
            write_string(&mut next, &cursor);
            next.push(b'}');
            params = String::from_utf8(next).ok();
            if !seen.insert(cursor) {
                tracing::warn!(method, "the server hands out a cursor twice; the list ends here");
                return Ok(ToolPages {
                    items,
                    withheld,
                    hint: CacheHint::default(),
                    held: meter.take_lease(),
                });
            }
        }
        tracing::warn!(method, pages = budget.limits.pages, "the list has no end; it is cut here");
        Ok(ToolPages { items, withheld, hint: CacheHint::default(), held: meter.take_lease() })
    }

    /// Calls a tool and returns its result as sent; see [`ToolResult`]. `arguments` must be a JSON object.
    ///
    /// It is sent once. It is sent again only where the server refused it before acting on it: with a
    /// challenge, because the session is gone, or because the headers did not fit the arguments.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn call_tool(
        &self,
        name: &str,
        arguments: Option<&RawValue>,
        options: impl Into<RequestOptions>,
    ) -> Result<Payload, TransportError> {
        self.tool_result(name, arguments, &options.into()).await
    }

    pub(crate) async fn tool_result(
        &self,
        name: &str,
        arguments: Option<&RawValue>,
        options: &RequestOptions,
    ) -> Result<Payload, TransportError> {
        let arguments_text = arguments.map_or("{}", RawValue::get);
        let mut params = Vec::with_capacity(name.len() + arguments_text.len() + 32);
        params.extend_from_slice(b"{\"name\":");
        write_string(&mut params, name);
        params.extend_from_slice(b",\"arguments\":");
        params.extend_from_slice(arguments_text.as_bytes());
        params.push(b'}');
        let params = String::from_utf8(params).unwrap_or_default();
        let call = Call { name: Some(name), ..Call::new("tools/call", Some(&params), options) };
        self.call_with_arguments(call, arguments).await
    }

    /// Calls the tool that a call names, with parameters that are encoded already and hold these arguments.
    pub(crate) async fn call_with_arguments(
        &self,
        mut call: Call<'_>,
        arguments: Option<&RawValue>,
    ) -> Result<Payload, TransportError> {
        let (tool, options) = (call.name.unwrap_or_default(), call.options);
        let deadline = call.deadline;
        let listing = || RequestOptions {
            relay: RelaySettings { handler: options.relay.handler.clone(), ..RelaySettings::default() },
            spent: deadline.map(Deadline::spent).unwrap_or_default(),
            ..options.clone()
        };
        if self.is_stale(tool) {
            let _one_at_a_time = match deadline {
                // Where that is over first, the call says so.
                Some(deadline) => tokio::time::timeout_at(deadline.at, self.relisting()).await.ok(),
                None => Some(self.relisting().await),
            };
            if self.is_stale(tool)
                && let Err(error) = self.list_tools(&listing()).await
            {
                // What is known may still fit, and the server says so if not (caching: stale where fetching fails).
                tracing::debug!(%error, "the tools could not be listed again");
            }
        }
        call.mirrored = self.mirrored_arguments(tool, arguments)?;
        match self.in_rounds(&call).await {
            // Our idea of the tool is old, or there is none yet (2026-07-28, client behavior).
            Err(error) if *error.kind() == (TransportErrorKind::Rpc { code: HEADER_MISMATCH }) => {
                self.list_tools(&listing()).await?;
                call.mirrored = self.mirrored_arguments(tool, arguments)?;
                self.in_rounds(&call).await.map(|answer| answer.result)
            }
            outcome => outcome.map(|answer| answer.result),
        }
    }

    /// One page of tools, asked for with these parameters, as it may be passed on. What of their arguments travels in headers
    /// is known from here on. `changes` is how many the server had reported before.
    pub(crate) fn passed_on(&self, params: Option<&str>, page: Payload, changes: u64) -> Payload {
        let hint = CacheHint::read(page.get());
        let (page, mirrored) = offered::page(page);
        let is_first =
            params.and_then(|params| pick(params, ["cursor"])).is_none_or(|[cursor]| cursor.is_none());
        if is_first {
            self.known_tools().remember(mirrored, hint, changes, Instant::now());
        } else {
            self.known_tools().add(mirrored);
        }
        page
    }

    fn is_stale(&self, tool: &str) -> bool {
        self.mirrors_parameters() && self.known_tools().is_stale(tool, self.tool_changes(), Instant::now())
    }

    /// The headers of a call with these arguments.
    fn mirrored_arguments(
        &self,
        tool: &str,
        arguments: Option<&RawValue>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, TransportError> {
        let Some(headers) = self.known_tools().of(tool) else { return Ok(Vec::new()) };
        headers.headers(arguments).map_err(|error| {
            let message = "an argument cannot be mirrored into a header";
            TransportError::new(TransportErrorKind::Misconfigured, message).with_source(error.to_string())
        })
    }

    /// Asks whether the server is there. In the modern era, which has no ping, by discovering it again.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub async fn ping(&self, options: impl Into<RequestOptions>) -> Result<(), TransportError> {
        let method = if self.is_modern() { "server/discover" } else { "ping" };
        self.in_rounds(&Call::new(method, None, &options.into())).await.map(drop)
    }
}

/// How a tool is told of that has no name to call it by, and why it cannot be called.
fn unnamed(tool: &str) -> (String, String) {
    match pick(tool, ["name"]) {
        Some([Some(name)]) => (mcp_text::line(name, 40), "its name is not text".to_owned()),
        _ => ("a tool".to_owned(), "it has no name".to_owned()),
    }
}

fn invalid(method: &str, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TransportError {
    let message = format!("the result of {method} is not valid");
    TransportError::new(TransportErrorKind::Protocol, message).with_source(error)
}
