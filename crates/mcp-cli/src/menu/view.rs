//! The menu as cells of a terminal: a pure function of the model and of the size.
//!
//! From 70 columns on, the list and a page stand side by side; on a narrower screen, and without frames, one has it to itself.
//! Where a status has a colour, it has a sign and a word as well.

use mcp_status::ServerStatus;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::{Position, Rect};
use ratatui_core::style::{Color, Modifier, Style};

use super::lines::fold;
use super::look::{Look, Paint, Text};
use super::model::{Follow, Menu, Page, Server};
use super::page;
use super::room::Room;
use crate::view::overview::summary;
use crate::view::shown;
use crate::view::text::{count_of_tools, glyph, word};
use crate::view::wrap::cut;

/// From here on, two things stand side by side.
const SIDE_BY_SIDE: u16 = 70;
/// What is wrong with the files may take so many lines of the list.
const MOST_PROBLEMS: usize = 3;
/// What a person without servers does next.
const NOTHING_YET: [&str; 3] = [
    "no servers are configured",
    "to add one: mcplink add URL",
    "to take over those of another program: mcplink import",
];

/// What was drawn, as far as the next key has to know it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct DrawnScreen {
    /// Where the focus is: the cursor stands there.
    pub(crate) focus: Position,
    /// How far the page can be scrolled.
    pub(crate) most_scrolled: usize,
    /// How far it is.
    pub(crate) scrolled: usize,
}

/// Draws the menu.
pub(crate) fn draw(menu: &Menu, look: &Look, area: Rect, buffer: &mut Buffer) -> DrawnScreen {
    let mut picture = DrawnScreen { focus: Position::ORIGIN, most_scrolled: 0, scrolled: menu.scrolled };
    if area.width < 4 || area.height < 2 {
        return picture;
    }
    let room = menu.room();
    let is_copied = room.is_some_and(Room::is_copied);
    let is_framed = !look.is_plain && area.height >= 10 && area.width >= 20 && !is_copied;
    let edge = if is_framed { 2 } else { 0 };
    let (left, width) = (area.x + edge, area.width - 2 * edge);
    let mut canvas = Canvas { buffer, has_color: look.has_color };
    canvas.put(Rect { height: 1, ..area }, 0, &head(menu, look, area.width.into()));

    let most = if area.height < 10 { 1 } else { 4 };
    let mut foot = foot(menu, width.into());
    foot.truncate(most);
    let foot_height = rows(foot.len());
    let borders = if is_framed { 3 } else { 0 };
    let body = Rect::new(
        left,
        area.y + 1 + borders / 3,
        width,
        area.height.saturating_sub(1 + borders + foot_height),
    );
    let below = Rect::new(left, body.bottom() + borders / 3, width, foot_height);

    let is_page = room.is_some() || menu.is_open || menu.page == Page::Help;
    let both = is_framed && area.width >= SIDE_BY_SIDE && !is_page;
    let list_width = if both { (width * 2 / 5).clamp(28, 44) } else { width };
    if is_framed {
        let middle = both.then_some(left + list_width);
        canvas.frame(Rect { y: area.y + 1, height: area.height - 1, ..area }, below.y - 1, middle);
    }
    if both || !is_page {
        picture.focus = list(&mut canvas, menu, Rect { width: list_width - u16::from(both), ..body });
    }
    if let Some(room) = room {
        let width = usize::from(body.width);
        let drawn = room.draw(width);
        let height = usize::from(body.height);
        picture.most_scrolled = drawn.lines.len().saturating_sub(height);
        let (line, column) = drawn.focus;
        let from = match menu.follow {
            Follow::Scrolled => menu.scrolled,
            // With what stands below it, as far as there is room.
            Follow::Focus => menu.scrolled.min(line).max((line + 1).saturating_sub(height)),
            Follow::Mark => drawn.mark,
        };
        picture.scrolled = from.min(picture.most_scrolled);
        for (y, text) in drawn.lines.iter().skip(picture.scrolled).take(height).enumerate() {
            canvas.put(body, y, text);
        }
        let y = rows(line.saturating_sub(picture.scrolled)).min(body.height.saturating_sub(1));
        let x = rows(column).min(body.width.saturating_sub(1));
        picture.focus = Position::new(body.x + x, body.y + y);
    } else if both || is_page {
        let used = if both { list_width + 2 } else { 0 };
        let beside = Rect { x: left + used, width: width - used, ..body };
        let lines = page::lines(menu, look, beside.width.into());
        picture.most_scrolled = lines.len().saturating_sub(beside.height.into());
        let from = menu.scrolled.min(picture.most_scrolled);
        picture.scrolled = from;
        for (y, line) in lines.iter().skip(from).take(beside.height.into()).enumerate() {
            canvas.put(beside, y, line);
        }
        if is_page {
            picture.focus = beside.as_position();
        }
    }
    for (y, line) in foot.iter().enumerate() {
        canvas.put(below, y, line);
    }
    if menu.is_typing {
        let typed = mcp_text::width(&cut(&typed(menu), usize::from(width).saturating_sub(1)));
        picture.focus = Position::new(left + rows(typed), below.y);
    }
    picture
}

/// What fits in a terminal.
fn rows(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn head(menu: &Menu, look: &Look, width: usize) -> Text {
    let title = format!(" mcplink  {}", shown::cell(&look.folder));
    let summary = summary(menu.all().iter().map(|server| &server.row));
    let gap = width.saturating_sub(mcp_text::width(&title) + mcp_text::width(&summary) + 1);
    if gap < 2 {
        return Text::of(cut(&format!(" {summary}"), width), Paint::Bold);
    }
    Text::of(title, Paint::Bold).and(" ".repeat(gap), Paint::Plain).and(summary, Paint::Plain)
}

fn typed(menu: &Menu) -> String {
    format!("filter: {}", menu.filter)
}

/// What was typed or came of a key, the actions of the server that has the focus, and the keys that are always there.
fn foot(menu: &Menu, width: usize) -> Vec<Text> {
    let mut lines = Vec::new();
    if menu.is_typing {
        lines.push(Text::of(cut(&typed(menu), width), Paint::Bold));
    } else if !menu.message.is_empty() {
        lines.extend(fold(&menu.message, width).into_iter().take(2).map(|line| Text::of(line, Paint::Bold)));
    }
    if let Some(room) = menu.room() {
        let command = shown::line(&menu.step(&room.command()));
        lines.extend(
            fold(&format!("$ {command}"), width).into_iter().take(2).map(|line| Text::of(line, Paint::Plain)),
        );
        let keys: Vec<String> = room.keys().iter().map(|&key| key.to_owned()).collect();
        lines.extend(in_lines(&keys, width).into_iter().map(|line| Text::of(line, Paint::Dim)));
        return lines;
    }
    let mut actions: Vec<String> =
        menu.actions().iter().map(|own| format!("{} {}", own.key, own.label)).collect();
    actions.extend(menu.looks().iter().map(|own| format!("{} {}", own.key, own.label)));
    let always = match (menu.is_typing, menu.is_open || menu.page == Page::Help) {
        (true, _) => ["enter keep", "esc all servers"].as_slice(),
        (false, true) => ["esc back", "o commands", "? help", "q quit"].as_slice(),
        (false, false) if menu.has_tools() => {
            ["enter tools", "i facts", "/ filter", "o commands", "? help", "q quit"].as_slice()
        }
        (false, false) => ["enter facts", "/ filter", "o commands", "? help", "q quit"].as_slice(),
    };
    let always: Vec<String> = always.iter().map(|&key| key.to_owned()).collect();
    if !menu.is_typing {
        lines.extend(in_lines(&actions, width).into_iter().map(|line| Text::of(line, Paint::Plain)));
    }
    lines.extend(in_lines(&always, width).into_iter().map(|line| Text::of(line, Paint::Dim)));
    lines
}

/// Words side by side, with as few lines as they need.
fn in_lines(words: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if mcp_text::width(line) + 3 + mcp_text::width(word) <= width => {
                line.push_str(&format!("   {word}"));
            }
            _ => lines.push(cut(word, width)),
        }
    }
    lines
}

/// What is wrong with a file, in at most so many lines: what is wrong decides, and where it is gives way to it.
fn problem_lines(problem: &str, width: usize, most: usize) -> Vec<String> {
    let lines_of = |text: &str| fold(&shown::line(&format!("! {text}")), width);
    let whole = lines_of(problem);
    if whole.len() <= most {
        return whole;
    }
    let mut lines = match problem.split_once(": ") {
        Some((place, words)) => {
            let name = place.rsplit(['/', '\\']).next().unwrap_or(place);
            lines_of(&format!("{name}: {words}"))
        }
        None => whole,
    };
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = format!("{}…", cut(last, width.saturating_sub(1)).trim_end_matches('…'));
        }
    }
    lines
}

/// Draws the list, and says where the focus is.
fn list(canvas: &mut Canvas<'_>, menu: &Menu, area: Rect) -> Position {
    let width = usize::from(area.width);
    // Without a server, they are what there is to see.
    let most = if menu.all().is_empty() { usize::from(area.height) } else { MOST_PROBLEMS };
    let mut problems: Vec<String> = Vec::new();
    for (number, problem) in menu.problems.iter().enumerate() {
        let left = most - problems.len();
        // Each that follows has a line of its own, as far as there are so many.
        let following = menu.problems.len() - number - 1;
        problems.extend(problem_lines(problem, width, left.saturating_sub(following).max(left.min(1))));
    }
    for (y, line) in problems.iter().enumerate() {
        canvas.put(area, y, &Text::of(line.as_str(), Paint::Status(ServerStatus::NeedsAuth)));
    }
    let used = rows(problems.len()).min(area.height);
    let area = Rect { y: area.y + used, height: area.height - used, ..area };
    let servers = menu.shown();
    if servers.is_empty() {
        let nothing = match (menu.all().is_empty(), menu.problems.is_empty()) {
            (false, _) => &["none has that"][..],
            (true, false) => &["no server is known as long as that is so"],
            (true, true) => &NOTHING_YET,
        };
        let lines = nothing.iter().flat_map(|text| fold(text, width));
        for (y, line) in lines.take(usize::from(area.height)).enumerate() {
            canvas.put(area, y, &Text::of(line, Paint::Plain));
        }
        return area.as_position();
    }
    let (height, focus) = (usize::from(area.height), menu.position().unwrap_or(0));
    // The focus is never outside.
    let from = (focus + 1).saturating_sub(height.max(1));
    for (y, server) in servers.iter().skip(from).take(height).enumerate() {
        canvas.put(area, y, &line(server, from + y == focus, width));
    }
    Position::new(area.x, area.y + rows(focus - from).min(area.height.saturating_sub(1)))
}

fn line(server: &Server, has_focus: bool, width: usize) -> Text {
    let row = &server.row;
    let status = row.status.unwrap_or(ServerStatus::Pending);
    let said = match row.tools {
        Some(tools) if status == ServerStatus::Connected && row.reason().is_none() => count_of_tools(tools),
        _ => word(row).to_owned(),
    };
    // "> ! ", the name, two blanks.
    let room = width.saturating_sub(4 + 2 + mcp_text::width(&said)).max(4);
    let name = shown::pad(&cut(&shown::name(&row.name), room), room);
    let (mark, paint) = if has_focus { ("> ", Paint::Bold) } else { ("  ", Paint::Plain) };
    Text::of(mark, paint)
        .and(format!("{} ", glyph(status)), Paint::Status(status))
        .and(format!("{name}  "), paint)
        .and(said, Paint::Status(status))
}

struct Canvas<'a> {
    buffer: &'a mut Buffer,
    has_color: bool,
}

impl Canvas<'_> {
    fn put(&mut self, area: Rect, y: usize, text: &Text) {
        let Some(y) = u16::try_from(y).ok().filter(|y| *y < area.height) else { return };
        let mut x = area.x;
        for (piece, paint) in &text.0 {
            let room = area.right().saturating_sub(x);
            (x, _) = self.buffer.set_stringn(x, area.y + y, piece, room.into(), self.style(*paint));
        }
    }

    fn style(&self, paint: Paint) -> Style {
        let color = |color| if self.has_color { Style::new().fg(color) } else { Style::new() };
        match paint {
            Paint::Plain => Style::new(),
            Paint::Bold => Style::new().add_modifier(Modifier::BOLD),
            Paint::Dim if self.has_color => Style::new().add_modifier(Modifier::DIM),
            Paint::Dim => Style::new(),
            Paint::Status(ServerStatus::Connected) => color(Color::Green),
            Paint::Status(ServerStatus::Failed) => color(Color::Red),
            Paint::Status(ServerStatus::NeedsAuth) => color(Color::Yellow),
            Paint::Status(ServerStatus::Pending) => color(Color::Cyan),
            Paint::Status(_) => color(Color::Gray),
        }
    }

    /// A frame around `area`, with a line across at `across`, and one down to it at `middle`.
    fn frame(&mut self, area: Rect, across: u16, middle: Option<u16>) {
        let (left, right, bottom) = (area.x, area.right() - 1, area.bottom() - 1);
        for (y, [first, crossing, last]) in
            [(area.y, ["┌", "┬", "┐"]), (across, ["├", "┴", "┤"]), (bottom, ["└", "─", "┘"])]
        {
            for x in left..=right {
                let symbol = match x {
                    x if x == left => first,
                    x if x == right => last,
                    x if Some(x) == middle => crossing,
                    _ => "─",
                };
                self.buffer[(x, y)].set_symbol(symbol);
            }
        }
        for y in area.y + 1..bottom {
            let middle = middle.filter(|_| y < across);
            for x in [Some(left), middle, Some(right)].into_iter().flatten() {
                if y != across {
                    self.buffer[(x, y)].set_symbol("│");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
