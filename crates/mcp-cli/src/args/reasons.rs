//! `help REASON`, `help STATUS`: what one of the reasons that stand beside a status means, or the status itself.

use mcp_status::ReasonCode;

use super::help::MOST_COLUMNS;
use crate::exit;
use crate::explanation::{cause, cure, status};
use crate::view::wrap::behind;

/// The word for the list of them.
const ALL: &str = "reasons";

/// The page of a reason or of a status, or the list of reasons; none where there is no such word.
pub(crate) fn reason(word: &str) -> Option<String> {
    if word == ALL {
        let rows =
            ReasonCode::ALL.into_iter().map(|code| format!("  {:<24}{}\n", code.as_str(), code.status()));
        return Some(format!(
            "{}\nmcplink help REASON says what causes one, and what mends it.\n",
            rows.collect::<String>()
        ));
    }
    if let Some(meaning) = status(word) {
        let columns = Some(crate::terminal::terminal_size().0.min(MOST_COLUMNS));
        let text = behind("", &format!("{word}: {meaning}"), columns);
        return Some(format!("{text}\nIts reasons: mcplink help reasons\n"));
    }
    let code = ReasonCode::ALL.into_iter().find(|code| code.as_str() == word)?;
    let columns = Some(crate::terminal::terminal_size().0.min(MOST_COLUMNS));
    let line = |head: &str, text: &str| behind(head, text, columns).trim_end().to_owned();
    Some(format!(
        "{code}: {}, exit code {}\n\n{}\n{}\n",
        code.status(),
        exit::of_status(code.status(), Some(code)).code(),
        line("Cause:  ", cause(code)),
        line("Cure:   ", cure(code)),
    ))
}
