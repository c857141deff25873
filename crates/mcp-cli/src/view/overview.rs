//! All servers on one screen of a terminal: a line that sums them up, what is wrong first, with the fact that decides and
//! what to try, and what works after it. A pure function of the rows.

use std::time::Duration;

use mcp_status::{ReasonCode, ServerStatus, wants_a_person};

use super::row::{Row, Session};
use super::shown::{self, pad};
use super::text::{
    self, MIN_BESIDE, NARROW, Style, glyph, is_down, lines_below, name_width, status_block, word,
};
use super::wrap::{cut, paragraph, wrap};
use crate::printed_step::PrintedStep;

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct OverviewLine<'a> {
    pub(crate) row: &'a Row,
    /// `since 02:13Z`, where it is watched.
    pub(crate) since: Option<String>,
    /// What is shown in place of a glyph while it is being connected to.
    pub(crate) spinner: Option<&'static str>,
}

impl<'a> OverviewLine<'a> {
    /// A server that has been looked at.
    pub(crate) fn of(row: &'a Row) -> Self {
        Self { row, since: None, spinner: None }
    }
}

/// All servers, and what stands around them.
#[derive(Debug)]
pub(crate) struct Overview<'a> {
    /// In the order of the configuration.
    pub(crate) lines: Vec<OverviewLine<'a>>,
    /// Behind the summary: where, how long it took.
    pub(crate) aside: String,
    /// What is wrong with the files.
    pub(crate) problems: &'a [String],
    /// What stands below all of it, side by side where there is room.
    pub(crate) foot: Vec<String>,
}

/// What a person makes of a server: they stand in this order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Group {
    NeedsYou,
    Down,
    Failed,
    Underway,
    Connected,
    Off,
}

impl Group {
    pub(crate) fn of(row: &Row) -> Self {
        let (status, reason) = (row.status.unwrap_or(ServerStatus::Pending), row.reason());
        match status {
            ServerStatus::Connected => Self::Connected,
            // Switched off, or rejected: a person wanted it so.
            ServerStatus::Disabled if reason.is_none_or(|reason| reason.code == ReasonCode::Declined) => {
                Self::Off
            }
            _ if wants_a_person(status, reason.map(|reason| reason.code)) => Self::NeedsYou,
            ServerStatus::Failed if is_down(row) => Self::Down,
            ServerStatus::Failed => Self::Failed,
            _ => Self::Underway,
        }
    }

    fn is_trouble(self) -> bool {
        !matches!(self, Self::Connected | Self::Off)
    }
}

/// `5 servers: 2 connected, 2 need you, 1 down`. What is counted is the words that the rows have: a reader can count them, too.
pub(crate) fn summary<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    let words: Vec<&str> = rows.map(word).collect();
    let count = |wanted: &str| words.iter().filter(|word| **word == wanted).count();
    let parts = ["connected", "needs-auth", "down", "failed", "pending", "disabled"];
    let parts = parts.map(|word| (word, count(word)));
    let parts = parts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| match (*word, count) {
        ("needs-auth", 1) => "1 needs you".to_owned(),
        ("needs-auth", _) => format!("{count} need you"),
        (word, _) => format!("{count} {word}"),
    });
    let parts: Vec<String> = parts.collect();
    let servers = if words.len() == 1 { "1 server".to_owned() } else { format!("{} servers", words.len()) };
    if parts.is_empty() { servers } else { format!("{servers}: {}", parts.join(", ")) }
}

impl Overview<'_> {
    /// All of it. One server alone is not summed up.
    pub(crate) fn text(&self, style: Style) -> String {
        if self.lines.len() < 2 {
            return self.blocks(style).concat();
        }
        let (blocks, foot) = (self.blocks(style), self.foot_lines(style));
        let foot = if foot.is_empty() { foot } else { format!("\n{foot}") };
        format!("{}{}{foot}", self.head(style), blocks.concat())
    }

    /// What of it fits in this many rows, each no wider than the screen. Where that is not all, a line says what is
    /// missing, which is what works as far as there is a choice.
    pub(crate) fn fitted(&self, style: Style, rows: usize) -> Vec<String> {
        let lines_of =
            |text: &str| -> Vec<String> { text.lines().map(|line| cut(line, style.columns)).collect() };
        let mut lines = lines_of(&self.head(style));
        let foot = self.foot_lines(style);
        let blocks = self.blocks(style);
        // The blank above the foot, and the foot.
        let below = if foot.is_empty() { 0 } else { 1 + foot.lines().count() };
        let all: usize = blocks.iter().map(|block| block.lines().count()).sum();
        let room = rows.saturating_sub(lines.len() + below);
        if all <= room {
            lines.extend(blocks.iter().flat_map(|block| lines_of(block)));
            if !foot.is_empty() {
                lines.push(String::new());
                lines.extend(lines_of(&foot));
            }
        } else {
            // The line that says so takes the place of the foot.
            let room = rows.saturating_sub(lines.len() + 1);
            let mut used = 0;
            let mut shown = 0;
            for block in &blocks {
                let own = lines_of(block);
                if used + own.len() > room {
                    break;
                }
                used += own.len();
                shown += usize::from(!block.trim().is_empty());
                lines.extend(own);
            }
            let hidden: Vec<&Row> = self.sorted().into_iter().skip(shown).map(|line| line.row).collect();
            let text = summary(hidden.into_iter()).replacen(" server", " more server", 1);
            lines.push(cut(&style.dim(&format!("… {text}")), style.columns));
        }
        lines.truncate(rows.max(1));
        lines
    }

    fn head(&self, style: Style) -> String {
        let summary = summary(self.lines.iter().map(|line| line.row));
        let used = mcp_text::width(&summary) + mcp_text::width(&self.aside);
        let mut head = match style.columns.checked_sub(used) {
            Some(gap) if gap >= 2 && !self.aside.is_empty() => {
                format!("{summary}{}{}\n", " ".repeat(gap), style.dim(&self.aside))
            }
            _ => wrap(&summary, style.columns).join("\n") + "\n",
        };
        for problem in self.problems {
            head.push_str(&paragraph(&format!("! {problem}"), style.room()));
        }
        head + "\n"
    }

    fn foot_lines(&self, style: Style) -> String {
        let beside = self.foot.join("     ");
        let lines = if mcp_text::width(&beside) <= style.columns { vec![beside] } else { self.foot.clone() };
        lines.iter().filter(|line| !line.is_empty()).map(|line| style.dim(line) + "\n").collect()
    }

    /// What is wrong first; what has the same step stands together.
    fn sorted(&self) -> Vec<OverviewLine<'_>> {
        let mut lines = self.lines.clone();
        lines.sort_by_key(|line| Group::of(line.row));
        let mut sorted: Vec<OverviewLine<'_>> = Vec::with_capacity(lines.len());
        for line in lines {
            let group = Group::of(line.row);
            let same = |other: &&OverviewLine<'_>| {
                Group::of(other.row) == group && joint_step(other.row, line.row).is_some()
            };
            match sorted.iter().rposition(|other| same(&other)) {
                Some(at) if group.is_trouble() => sorted.insert(at + 1, line),
                _ => sorted.push(line),
            }
        }
        sorted
    }

    /// One piece for each server, in the order in which they are shown; a blank line belongs to what stands before it.
    fn blocks(&self, style: Style) -> Vec<String> {
        let sorted = self.sorted();
        let split = sorted.iter().take_while(|line| Group::of(line.row).is_trouble()).count();
        let (trouble, rest) = sorted.split_at(split);
        let mut blocks = troubles(trouble, style);
        if let (Some(last), false) = (blocks.last_mut(), rest.is_empty()) {
            last.push('\n');
        }
        blocks.extend(others(rest, style));
        blocks
    }
}

/// How far names are aligned: as far as those that leave most of the screen to what is said of them. A longer one has its
/// row to itself, and moves no other.
fn aligned(lines: &[OverviewLine<'_>], style: Style) -> usize {
    let widths = lines.iter().map(|line| name_width(std::iter::once(line.row.name.as_str())));
    widths.filter(|width| *width <= (style.columns / 4).max(12)).max().unwrap_or(0)
}

fn troubles(lines: &[OverviewLine<'_>], style: Style) -> Vec<String> {
    let width = aligned(lines, style);
    let mut held: Option<PrintedStep> = None;
    let mut blocks = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let own = held.take().or_else(|| next(line.row).cloned());
        // The step that the next one has as well is told once, below the last of them.
        let joined = lines.get(at + 1).and_then(|after| joint(own.as_ref()?, line.row, after.row));
        // What is merely under way needs nothing.
        let is_underway = Group::of(line.row) == Group::Underway;
        let step = if joined.is_some() || is_underway { None } else { own };
        held = joined;
        let since = line.since.as_deref().unwrap_or_default();
        let mut block = status_block(line.row, since, step.as_ref(), width, style);
        if let Some(spinner) = line.spinner {
            block = block.replacen(glyph(ServerStatus::Pending), spinner, 1);
        }
        blocks.push(block + &lines_below(line.row, style));
    }
    blocks
}

fn next(row: &Row) -> Option<&PrintedStep> {
    row.reason().and_then(|reason| reason.next.as_ref())
}

/// The one step for both, where there is one.
fn joint_step(first: &Row, second: &Row) -> Option<PrintedStep> {
    joint(next(first)?, first, second)
}

/// `step`, which is that of `before`, as the step of `row` as well.
fn joint(step: &PrintedStep, before: &Row, row: &Row) -> Option<PrintedStep> {
    let own = next(row)?;
    if own == step {
        return Some(step.clone());
    }
    // Decisions take several names.
    let approve = "mcplink approve ";
    let name = |row: &Row| mcp_text::shell_word(&row.name);
    let (PrintedStep::Command(own), PrintedStep::Command(step)) = (own, step) else { return None };
    let options = own.strip_prefix(approve)?.strip_prefix(&*name(row))?;
    let names = step.strip_prefix(approve)?.strip_suffix(options)?;
    let is_of_names = names == name(before) || names.ends_with(&format!(" {}", name(before)));
    is_of_names.then(|| PrintedStep::Command(format!("{approve}{names} {}{options}", name(row))))
}

/// What works, and what is switched off.
fn others(lines: &[OverviewLine<'_>], style: Style) -> Vec<String> {
    let is_plain = |line: &&OverviewLine<'_>| {
        line.row.status == Some(ServerStatus::Connected) && line.row.reason().is_none()
    };
    let width = aligned(lines, style);
    let tools = lines.iter().filter(is_plain).map(|line| tools(line.row));
    let tools_width = tools.map(|tools| mcp_text::width(&tools)).max().unwrap_or(0);
    lines
        .iter()
        .map(|line| {
            let since = line.since.as_deref();
            if is_plain(&line) {
                return connected(line.row, since, (width, tools_width), style);
            }
            status_block(line.row, since.unwrap_or_default(), next(line.row), width, style)
                + &lines_below(line.row, style)
        })
        .collect()
}

fn tools(row: &Row) -> String {
    row.tools.map_or_else(|| "connected".to_owned(), text::count_of_tools)
}

fn connected(row: &Row, since: Option<&str>, (width, tools_width): (usize, usize), style: Style) -> String {
    let status = ServerStatus::Connected;
    let name = pad(&cut(&shown::name(&row.name), style.columns.saturating_sub(2)), style.aligned(width));
    let tools = pad(&tools(row), tools_width);
    let (alike, others): (Vec<Session>, Vec<Session>) =
        row.sessions.iter().cloned().partition(|session| session.status == status.as_str());
    let server = row.server.as_ref().map(ToString::to_string);
    let rest: Vec<String> =
        [server, since.map(str::to_owned), bridges(&alike)].into_iter().flatten().collect();
    let rest = rest.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("   ");

    let head = 2 + mcp_text::width(&name) + 2 + tools_width;
    let room = style.columns.saturating_sub(head + 2);
    let named = format!("{} {}", style.paint(status, glyph(status)), style.bold(&name));
    let (first, at) = if head > style.columns {
        (format!("{named}\n{}{tools}", " ".repeat(NARROW)), NARROW)
    } else {
        let beside = room >= MIN_BESIDE || mcp_text::width(&rest) <= room;
        (format!("{named}  {tools}"), if beside { head + 2 } else { NARROW })
    };
    let room = style.columns.saturating_sub(at);
    let lines = if mcp_text::width(&rest) <= room { vec![rest] } else { wrap(&rest, room) };
    let mut lines = lines.into_iter().filter(|line| !line.is_empty());
    let beside = if at == NARROW { None } else { lines.next() };
    let mut block = match beside {
        Some(beside) => format!("{first}  {beside}\n"),
        None => format!("{}\n", first.trim_end()),
    };
    block.extend(lines.map(|line| format!("{}{line}\n", " ".repeat(at))));
    block + &lines_below(&Row { sessions: others, ..row.clone() }, style)
}

/// `2 bridges: Cursor, Codex`: sessions that are as well as the server is.
fn bridges(sessions: &[Session]) -> Option<String> {
    let hosts: Vec<String> =
        sessions.iter().filter_map(|session| session.host.as_deref()).map(shown::cell).collect();
    let count = match sessions.len() {
        0 => return None,
        1 => "1 bridge".to_owned(),
        count => format!("{count} bridges"),
    };
    Some(if hosts.is_empty() { count } else { format!("{count}: {}", hosts.join(", ")) })
}

/// Where more is told of the first server that has trouble, and what one that works can be used for; each as `step` makes
/// a command of it.
pub(crate) fn further(rows: &[Row], step: impl Fn(&Row, &str) -> String) -> Vec<String> {
    let trouble = rows.iter().filter(|row| Group::of(row).is_trouble()).min_by_key(|row| Group::of(row));
    let command =
        |verb: &str, row: &Row| step(row, &format!("mcplink {verb} {}", mcp_text::shell_word(&row.name)));
    let works = rows.iter().find(|row| row.status == Some(ServerStatus::Connected));
    let details = trouble.map(|row| format!("details: {}", command("doctor", row)));
    details.into_iter().chain(works.map(|row| format!("tools: {}", command("tools", row)))).collect()
}

/// `shop-api · 0.4 s`: where it was looked, and how long that took.
pub(crate) fn aside(folder: Option<&std::path::Path>, took: Option<Duration>) -> String {
    let folder = folder.and_then(std::path::Path::file_name).map(|name| shown::cell(&name.to_string_lossy()));
    let took = took.map(|took| format!("{:.1} s", took.as_secs_f64()));
    folder.into_iter().chain(took).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests;
