//! The figures as pictures: SVG by hand, without scripts, fonts or colours of one theme.

use std::fmt::Write as _;

use crate::world::Report;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 28.0;

/// New tokens in each ten seconds.
pub(crate) fn refreshes(report: &Report) -> String {
    let tens: Vec<f64> = report
        .per_second
        .chunks(10)
        .map(|ten| f64::from(ten.iter().sum::<u32>()) / ten.len() as f64)
        .collect();
    let title = format!("Refreshes per second, {} machines, {} sign-ins", report.machines, report.sign_ins);
    bars(&title, &tens, "minutes", |i| (i % 30 == 0).then(|| (i / 6).to_string()))
}

/// How many of the calls that waited did so for how long: powers of two of milliseconds.
pub(crate) fn waits(report: &Report) -> String {
    let mut counts = vec![0.0; 17];
    for wait in &report.waits {
        let class = (64 - wait.leading_zeros()) as usize;
        if let Some(count) = counts.get_mut(class.min(16)) {
            *count += 1.0;
        }
    }
    let title = format!(
        "Calls by their wait for a token that had ended ({} of {})",
        report.waits.len(),
        report.calls
    );
    bars(&title, &counts, "ms, up to", |i| (i % 2 == 0).then(|| (1_u64 << i).to_string()))
}

fn bars(title: &str, values: &[f64], unit: &str, label: impl Fn(usize) -> Option<String>) -> String {
    let most = values.iter().copied().fold(1.0, f64::max);
    let step = (WIDTH - LEFT - 8.0) / values.len().max(1) as f64;
    let base = HEIGHT - BOTTOM;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#6b7280\">\n<title>{title}</title>\n\
         <text x=\"{LEFT}\" y=\"16\">{title}</text>\n<text x=\"4\" y=\"{:.0}\">{most:.1}</text>\n\
         <text x=\"4\" y=\"{base:.0}\">0</text>\n",
        TOP + 10.0
    );
    for (i, value) in values.iter().enumerate() {
        let (x, height) = (LEFT + step * i as f64, (base - TOP) * value / most);
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\" fill=\"#2563eb\"/>",
            base - height,
            (step - 1.0).max(0.5),
        );
        if let Some(text) = label(i) {
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.0}\">{text}</text>", base + 14.0);
        }
    }
    let _ = writeln!(
        svg,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{unit}</text>\n</svg>",
        WIDTH - 8.0,
        HEIGHT - 6.0
    );
    svg
}
