//! What the filter of a connection lets through, of lists and of calls.

use crate::call::{Answer, Call};
use crate::connection::Connection;
use crate::error::{TransportError, TransportErrorKind};
use crate::offered::ToolName;
use crate::options::RequestOptions;
use crate::tool_filter::{Screen, ScreenedPage, ToolListing, refused, with_names};

impl Connection {
    /// A request to its last word, as far as the filter of the connection lets it.
    pub(crate) async fn in_rounds(&self, call: &Call<'_>) -> Result<Answer, TransportError> {
        let Some(screen) = &self.inner().screen else { return self.unscreened(call).await };
        match call.method {
            "tools/call" => {
                self.admitted(screen, call.params).await?;
                self.unscreened(call).await
            }
            "tools/list" => {
                let answer = self.unscreened(call).await?;
                let (screened, usable) = with_names(&*screen.filter, answer.result)?;
                screen.note(&screened, &usable);
                let ScreenedPage { page, withheld, left_out } = screened;
                Ok(Answer { result: page, withheld, left_out, ..answer })
            }
            _ => self.unscreened(call).await,
        }
    }

    /// Whether the tool may be called that these parameters name.
    ///
    /// Security: a filter that reads definitions knows a tool by what the server says of it, so it is asked again after every
    /// change that the server tells of, and in every session.
    async fn admitted(&self, screen: &Screen, params: Option<&str>) -> Result<(), TransportError> {
        let named = params.and_then(|params| serde_json::from_str::<ToolName>(params).ok());
        let Some(ToolName { name }) = named else {
            return Err(refused(
                TransportErrorKind::ToolWithheld,
                "this call",
                "names no tool, or more than one",
            ));
        };
        if let Some(why) = screen.filter.hides(&name) {
            return Err(refused(TransportErrorKind::ToolWithheld, &name, &why));
        }
        if !screen.filter.reads_definitions() {
            return Ok(());
        }
        if let Some(admits) = screen.admits(&name, self.state_of_tools()) {
            return admits;
        }
        let state = self.state_of_tools();
        let list = Box::pin(self.list_tools(&RequestOptions::new())).await?;
        let usable = list.tools.into_iter().map(|tool| tool.name).collect();
        let [withheld, unapproved] =
            [list.withheld, list.unapproved].map(|tools| tools.into_iter().collect());
        let listed = ToolListing { state, usable, withheld, unapproved };
        *screen.listed() = Some(listed);
        screen.admits(&name, state).unwrap_or(Ok(()))
    }

    /// What changes when the server may list other tools than before.
    fn state_of_tools(&self) -> (u64, u64) {
        (self.tool_changes(), *self.inner().wire.generation().borrow())
    }
}
