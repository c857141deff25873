//! Which tools of a server the users of a connection see: lists come without the others, and a call of one is refused.
//!
//! A connection asks it below everything that makes requests (`connection::screening`), so that a list, a call and a bridge
//! cannot differ. A connection without a filter looks into nothing for it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::value::RawValue;

use crate::call::WithheldTool;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope::{elements, sole};
use crate::message::{INVALID_PARAMS, Payload, RpcError};
use crate::offered::ToolName;
use crate::tools::definition::Tool;
use crate::tools::list::as_list;

/// Says which tools of one server may be used. Reasons are fragments for people, and name where that was decided.
pub trait ToolFilter: fmt::Debug + Send + Sync + 'static {
    /// Why no tool of this name may be used, where that is so.
    fn hides(&self, name: &str) -> Option<String>;

    /// Why a tool with this definition may not be used, where that is so: a person has not approved it. Asked where its name
    /// may be.
    fn withholds(&self, tool: &Tool) -> Option<String> {
        let _ = tool;
        None
    }

    /// What the filter says of tools that a server does not have, which lists these names: each a sentence for people.
    fn unmatched(&self, names: &mut dyn Iterator<Item = &str>) -> Vec<String> {
        let _ = names;
        Vec::new()
    }

    /// Whether definitions decide: then a tool is called only while the server lists it with one that may be used.
    fn reads_definitions(&self) -> bool {
        false
    }
}

/// The filter of one connection.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) filter: Arc<dyn ToolFilter>,
    /// What the server listed last for a call.
    listed: Mutex<Option<ToolListing>>,
}

/// The tools as they were listed in one state of the server.
#[derive(Debug)]
pub(crate) struct ToolListing {
    /// How often the server had reported changes, and the number of the session.
    pub(crate) state: (u64, u64),
    pub(crate) usable: HashSet<String>,
    pub(crate) withheld: HashMap<String, String>,
    pub(crate) unapproved: HashMap<String, String>,
}

/// A page of tools without those that may not be used.
#[derive(Debug)]
pub(crate) struct ScreenedPage {
    pub(crate) page: Payload,
    /// The others.
    pub(crate) withheld: Vec<WithheldTool>,
    /// How many bytes are left out.
    pub(crate) left_out: usize,
}

impl Screen {
    pub(crate) fn new(filter: Arc<dyn ToolFilter>) -> Self {
        Self { filter, listed: Mutex::default() }
    }

    pub(crate) fn listed(&self) -> MutexGuard<'_, Option<ToolListing>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `tool` was listed in this state of the server; `None` where that has to be asked.
    pub(crate) fn admits(&self, tool: &str, state: (u64, u64)) -> Option<Result<(), TransportError>> {
        let listed = self.listed();
        let listed = listed.as_ref().filter(|listed| listed.state == state)?;
        // Of two definitions of one tool, it is not known which one the server acts on.
        if let Some(why) = listed.unapproved.get(tool) {
            return Some(Err(refused(TransportErrorKind::ToolUnapproved, tool, why)));
        }
        if listed.usable.contains(tool) {
            return Some(Ok(()));
        }
        let why = listed.withheld.get(tool).map_or("is not among the tools that the server lists", |why| why);
        Some(Err(refused(TransportErrorKind::ToolWithheld, tool, why)))
    }

    /// Takes note of a page that goes to a host. Where it says another thing of a tool than the list does that calls are
    /// judged by, the server has changed without a word, and is asked again at the next call.
    pub(crate) fn note(&self, page: &ScreenedPage, usable: &[String]) {
        let mut listed = self.listed();
        let Some(known) = listed.as_ref() else { return };
        let differs = |tool: &WithheldTool| tool.is_unapproved && !known.unapproved.contains_key(&tool.name);
        let is_news = page.withheld.iter().any(differs)
            || usable.iter().any(|name| known.unapproved.contains_key(name) || !known.usable.contains(name));
        if is_news {
            *listed = None;
        }
    }
}

/// A page of `tools/list` as `filter` lets it through: every byte as sent, but without the tools that may not be used.
///
/// # Errors
///
/// It has its tools twice, so that two readers of it may see different ones.
pub fn filtered_page(filter: &dyn ToolFilter, page: Payload) -> Result<Payload, TransportError> {
    screened(filter, page).map(|screened| screened.page)
}

pub(crate) fn screened(filter: &dyn ToolFilter, page: Payload) -> Result<ScreenedPage, TransportError> {
    with_names(filter, page).map(|(screened, _)| screened)
}

/// The same with the names of the tools that may be used, where definitions decide.
pub(crate) fn with_names(
    filter: &dyn ToolFilter,
    page: Payload,
) -> Result<(ScreenedPage, Vec<String>), TransportError> {
    let ambiguous = || {
        let message = "a list of tools cannot be read in one way only, so none of it is used";
        TransportError::new(TransportErrorKind::Protocol, message)
    };
    let unchanged = |page| ScreenedPage { page, withheld: Vec::new(), left_out: 0 };
    let Some(tools) = sole(page.get(), "tools").ok_or_else(ambiguous)? else {
        return Ok((unchanged(page), Vec::new()));
    };
    let list = as_list(tools);
    let reads = filter.reads_definitions();
    let (mut usable, mut withheld, mut all) = (Vec::new(), Vec::new(), 0);
    let read = elements(&list, |text| {
        all += 1;
        // Security: a definition with two names is not a definition, whichever of them a host would take.
        let named =
            serde_json::from_str::<ToolName>(text).ok().zip(RawValue::from_string(text.to_owned()).ok());
        let Some((ToolName { name }, raw)) = named else { return Some(()) };
        let tool = Tool { name, raw };
        let hidden = filter.hides(&tool.name).map(|why| (why, false));
        match hidden.or_else(|| filter.withholds(&tool).map(|why| (why, true))) {
            Some((why, is_unapproved)) => withheld.push(WithheldTool { name: tool.name, why, is_unapproved }),
            None => usable.push((tool.name, text)),
        }
        Some(())
    });
    if reads {
        // Security: of two definitions of one tool, it is not known which one the server acts on.
        let doubtful: HashSet<&str> =
            withheld.iter().filter(|tool| tool.is_unapproved).map(|tool| &*tool.name).collect();
        usable.retain(|(name, _)| !doubtful.contains(&**name));
    }
    let names = |usable: Vec<(String, &str)>| match reads {
        true => usable.into_iter().map(|(name, _)| name).collect(),
        false => Vec::new(),
    };
    // Security: a host may read an object by its keys.
    if read.is_some() && usable.len() == all && matches!(list, Cow::Borrowed(_)) {
        let names = names(usable);
        return Ok((unchanged(page), names));
    }
    // What is not an array may be read as one by a host that is lenient.
    let texts: Vec<&str> = usable.iter().map(|(_, text)| *text).collect();
    let kept = if read.is_some() { texts.join(",") } else { String::new() };
    let left_out = tools.len().saturating_sub(kept.len() + 2);
    let start = tools.as_ptr() as usize - page.get().as_ptr() as usize;
    let text = format!("{}[{kept}]{}", &page.get()[..start], &page.get()[start + tools.len()..]);
    let names = names(usable);
    let rest = RawValue::from_string(text).map_err(|_| ambiguous())?;
    Ok((ScreenedPage { page: Payload::from(rest).with_lease(page.lease()), withheld, left_out }, names))
}

pub(crate) fn refused(kind: TransportErrorKind, tool: &str, why: &str) -> TransportError {
    let message = format!("{} {why}", mcp_text::name(tool, 80));
    TransportError::new(kind, "the tool may not be used").with_rpc(RpcError::new(INVALID_PARAMS, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hides one name, and withholds definitions with a word in them.
    #[derive(Debug)]
    struct HidingFilter(&'static str, &'static str);

    impl ToolFilter for HidingFilter {
        fn hides(&self, name: &str) -> Option<String> {
            (name == self.0).then(|| "is hidden".to_owned())
        }

        fn withholds(&self, tool: &Tool) -> Option<String> {
            (!self.1.is_empty() && tool.raw.get().contains(self.1)).then(|| "is withheld".to_owned())
        }
    }

    fn filtered(text: &str) -> Result<(String, Vec<String>, usize), TransportErrorKind> {
        let page = RawValue::from_string(text.to_owned()).unwrap().into();
        let screened =
            screened(&HidingFilter("bad", "poison"), page).map_err(|error| error.kind().clone())?;
        let withheld =
            screened.withheld.into_iter().map(|tool| format!("{} {}", tool.name, tool.why)).collect();
        Ok((screened.page.get().to_owned(), withheld, screened.left_out))
    }

    #[test]
    fn a_page_is_as_sent_without_the_tools_that_may_not_be_used() {
        let good = r#"{ "name":"good" , "x":1.0}"#;
        for unchanged in [format!(r#"{{"ttlMs":1.0e2,"tools":[{good}],"x":[1]}}"#), "{}".to_owned()] {
            assert_eq!(filtered(&unchanged).unwrap(), (unchanged, vec![], 0));
        }
        let bad = r#"{"name":"bad"}"#;
        let poisoned = r#"{"name":"sly","description":"poison"}"#;
        let text = format!(r#"{{"tools":[{bad},{good}, {poisoned}],"nextCursor":"2"}}"#);
        let (page, withheld, left_out) = filtered(&text).unwrap();
        assert_eq!(page, format!(r#"{{"tools":[{good}],"nextCursor":"2"}}"#));
        assert_eq!(withheld, ["bad is hidden", "sly is withheld"]);
        assert_eq!(left_out, text.len() - page.len());
    }

    #[test]
    fn a_list_that_two_readers_may_read_differently_hides_what_either_would_see() {
        // An escape is another spelling of the same name.
        let (page, withheld, _) = filtered(r#"{"tools":[{"n\u0061me":"b\u0061d"}]}"#).unwrap();
        assert_eq!((&*page, withheld.len()), (r#"{"tools":[]}"#, 1));
        for hidden in [
            r#"{"tools":[{"name":"good","name":"bad"}]}"#,
            r#"{"tools":[{"name":"bad","name":"good"}]}"#,
            r#"{"tools":[{"title":"no name"}]}"#,
            r#"{"tools":[{"name":["bad"]}]}"#,
            r#"{"tools":{"bad":{"name":"bad"}}}"#,
        ] {
            assert_eq!(filtered(hidden).unwrap().0, r#"{"tools":[]}"#, "{hidden}");
        }
        let object = r#"{"tools":{"bad":{"description":"x"},"k":{"name":"bad"},"good":{"description":"y"}}}"#;
        let (page, withheld, _) = filtered(object).unwrap();
        assert_eq!((&*page, withheld.len()), (r#"{"tools":[{"name":"good","description":"y"}]}"#, 2));
        // Where each may be used, a host still has one way to read them.
        let (page, ..) = filtered(r#"{"tools":{"bad":{"name":"good"}}}"#).unwrap();
        assert_eq!(page, r#"{"tools":[{"name":"good"}]}"#);
        for twice in [r#"{"tools":[],"tools":[{"name":"bad"}]}"#, r#"{"tools":[],"t\u006fols":[]}"#] {
            assert_eq!(filtered(twice), Err(TransportErrorKind::Protocol), "{twice}");
        }
    }
}
