//! The figures as pictures: SVG by hand, without scripts, fonts or the colours of one theme.

use std::fmt::Write as _;

use super::figures::Figures;
use super::page::{file, measure_of, number};
use super::works::WORKS;

const WIDTH: f64 = 720.0;
const LEFT: f64 = 130.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 26.0;
const TOP: f64 = 34.0;

/// One picture for each work that was measured, by its path.
pub(super) fn all(figures: &Figures) -> Vec<(&'static str, String)> {
    let measured = WORKS.iter().filter(|work| figures.works.contains_key(work.name));
    measured
        .map(|work| {
            let path: &'static str =
                Box::leak(format!("docs/performance/{}.svg", file(work.name)).into_boxed_str());
            (path, picture(figures, work.name, work.clients))
        })
        .collect()
}

/// Bars on a logarithmic scale, because a floor and a program in another language are far apart.
fn picture(figures: &Figures, work: &str, clients: &[&str]) -> String {
    let (measure, floor) = measure_of(work);
    let bars: Vec<_> = clients
        .iter()
        .filter_map(|client| Some((*client, figures.ratio(work, client, floor, measure)?)))
        .filter(|(_, ratio)| ratio.low > 0.0)
        .collect();
    let least = bars.iter().map(|(_, ratio)| ratio.low).fold(1.0, f64::min) * 0.8;
    let most = bars.iter().map(|(_, ratio)| ratio.high).fold(1.0, f64::max) * 1.25;
    let x = |value: f64| LEFT + (value / least).ln() / (most / least).ln() * (WIDTH - LEFT - RIGHT);
    let height = TOP + ROW * bars.len() as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#888\">\n\
         <title>{work}: × {floor}</title>\n<text x=\"4\" y=\"18\">{work}: × {floor} ({}), logarithmic</text>\n",
        if measure == "ops" { "more is better" } else { "less is better" }
    );
    for (row, (client, ratio)) in bars.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let (from, to, middle) = (x(ratio.low), x(ratio.high), x(ratio.median));
        let colour = if *client == "mcplink" { "#2a7" } else { "#79c" };
        let _ = writeln!(
            svg,
            "<text x=\"4\" y=\"{:.1}\">{client}</text>\
             <rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{colour}\"/>\
             <line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{mid:.1}\" y2=\"{mid:.1}\" stroke=\"#333\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            y + 14.0,
            (middle - LEFT).max(1.0),
            ROW - 8.0,
            to.max(middle) + 6.0,
            y + 14.0,
            number(ratio.median),
            mid = y + (ROW - 8.0) / 2.0,
        );
    }
    let one = x(1.0);
    let _ = writeln!(
        svg,
        "<line x1=\"{one:.1}\" x2=\"{one:.1}\" y1=\"{TOP}\" y2=\"{height}\" stroke=\"#888\" stroke-dasharray=\"3\"/>"
    );
    svg.push_str("</svg>");
    svg
}
