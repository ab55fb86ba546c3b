//! The ratios of a run as bars: an SVG that is readable in light and in dark.
//!
//! A bar begins at the reference, 1 ×, and goes to the right for whoever takes more and to the left for whoever takes less. The
//! scale is logarithmic, so twice and half are equally long. Figures without a ratio are in the table alone.

use std::fmt::Write as _;

use crate::report::{Report, number};
use crate::rows::{Of, Row};

const WIDTH: f64 = 960.0;
/// Where the bars are, beside the names.
const LEFT: f64 = 330.0;
const RIGHT: f64 = WIDTH - 90.0;
const TOP: f64 = 76.0;
const BAR: f64 = 17.0;
const HEADING: f64 = 24.0;
const TITLE: f64 = 30.0;

/// Without variables, which not everything that draws an SVG knows.
const STYLE: &str = "
text { font: 12px system-ui, 'DejaVu Sans', sans-serif; fill: #1f2328 }
.title { font-size: 17px; font-weight: 600 } .group { font-size: 14px; font-weight: 600 }
.end { text-anchor: end } .middle { text-anchor: middle }
.back { fill: #ffffff } text.soft { fill: #59636e } text.bad { fill: #cf222e }
.ours { fill: #0969da } .theirs { fill: #a5b1be }
.line { stroke: #d1d9e0 } .one { stroke: #59636e } .bound { stroke: #cf222e; stroke-width: 2 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .back { fill: #0d1117 } text.soft { fill: #9198a1 } text.bad { fill: #f85149 }
  .ours { fill: #4493f8 } .theirs { fill: #656c76 }
  .line { stroke: #3d444d } .one { stroke: #9198a1 } .bound { stroke: #f85149 }
}
";

/// The picture, or none when nothing in the report has a ratio.
#[must_use]
pub fn svg(report: &Report) -> Option<String> {
    let rows: Vec<&Row> = report.rows.iter().filter(|row| row.ratio.is_some_and(|ratio| ratio > 0.0)).collect();
    let scale = Scale::of(&rows)?;
    let mut body = String::new();
    let (mut y, mut group, mut what) = (TOP, None, None);
    for row in &rows {
        if group != Some(row.group) {
            (group, what) = (Some(row.group), None);
            y += TITLE;
            text(&mut body, (16.0, y - 8.0), "group", row.group);
        }
        if what != Some((&row.what, row.unit)) {
            what = Some((&row.what, row.unit));
            y += HEADING;
            text(&mut body, (28.0, y - 8.0), "soft", &format!("{}, {}", row.what, row.unit.symbol()));
        }
        bar(&mut body, &scale, row, y);
        y += BAR;
    }
    let height = y + 40.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
         <style>{STYLE}</style>\n<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n"
    );
    text(
        &mut svg,
        (16.0, 28.0),
        "title",
        "Landfall beside others: cost, as a ratio to the reference (1 ×) of the same run",
    );
    let machine = &report.machine;
    let below = format!(
        "{}, {} cores, {}, commit {}, {}. Further left is better; a red line is a bound.",
        machine.cpu,
        machine.cores,
        machine.rustc,
        report.commit.as_deref().unwrap_or("unknown"),
        report.date.get(..10).unwrap_or(&report.date),
    );
    text(&mut svg, (16.0, 48.0), "soft", &below);
    for (tick, name) in scale.ticks() {
        let (x, class) = (scale.x(tick), if name == "1 ×" { "one" } else { "line" });
        let _ = writeln!(svg, "<path class=\"{class}\" d=\"M{x:.1} {TOP}V{:.1}\"/>", height - 28.0);
        text(&mut svg, (x, TOP - 6.0), "soft middle", &name);
        text(&mut svg, (x, height - 12.0), "soft middle", &name);
    }
    svg.push_str(&body);
    svg.push_str("</svg>\n");
    Some(svg)
}

fn bar(svg: &mut String, scale: &Scale, row: &Row, y: f64) {
    let ratio = row.ratio.unwrap_or(1.0);
    let (one, end) = (scale.x(1.0), scale.x(ratio));
    let ours = ["landfall", "ours"].iter().any(|name| row.who.starts_with(name));
    let (x, width) = (one.min(end), (end - one).abs().max(2.0));
    text(svg, (LEFT - 10.0, y + 10.0), "end", &row.who);
    let class = if ours { "ours" } else { "theirs" };
    let _ = writeln!(svg, "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"12\"/>");
    let bound = row.bounds.iter().find(|bound| bound.of == Of::Ratio);
    if let Some(bound) = bound {
        let x = scale.x(bound.most);
        let _ = writeln!(svg, "<path class=\"bound\" d=\"M{x:.1} {:.1}v16\"/>", y - 2.0);
    }
    let missed = !row.is_met();
    let label = format!("{} ×{}", number(ratio), if missed { " missed" } else { "" });
    let behind = end.max(one).max(bound.map_or(0.0, |bound| scale.x(bound.most)));
    text(svg, (behind + 6.0, y + 10.0), if missed { "bad" } else { "soft" }, &label);
}

fn text(svg: &mut String, (x, y): (f64, f64), class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>");
}

/// From the smallest ratio to the largest, each rounded outwards to a power of two.
struct Scale {
    least: f64,
    most: f64,
}

impl Scale {
    fn of(rows: &[&Row]) -> Option<Self> {
        let ratios = || rows.iter().filter_map(|row| row.ratio).map(f64::log2);
        let least = ratios().reduce(f64::min)?.floor().min(0.0);
        let most = ratios().reduce(f64::max)?.ceil().max(1.0);
        Some(Self { least, most })
    }

    fn x(&self, ratio: f64) -> f64 {
        let part = (ratio.log2() - self.least) / (self.most - self.least);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// At most about ten of them, with their names.
    fn ticks(&self) -> Vec<(f64, String)> {
        let step = ((self.most - self.least) / 10.0).ceil().max(1.0);
        let first = (self.least / step).ceil();
        let powers = (0..).map(|n| (first + f64::from(n)) * step).take_while(|power| *power <= self.most);
        let name = |power: f64| {
            if power < 0.0 { format!("1/{} ×", (-power).exp2()) } else { format!("{} ×", power.exp2()) }
        };
        powers.map(|power| (power.exp2(), name(power))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Machine;
    use crate::rows::{Figure, Unit, compared};

    fn report(rows: Vec<Row>) -> Report {
        let machine = Machine { cpu: "A <fast> one".into(), cores: 2, os: "linux".into(), rustc: "rustc 1".into() };
        let (commit, date, left_out) = (None, "2026-01-01T00:00:00Z".into(), Vec::new());
        Report { landfall: "0.1.0", commit, date, quick: false, machine, rows, left_out }
    }

    #[test]
    fn a_bar_is_as_long_as_its_ratio_has_doublings_and_text_is_escaped() {
        let figures =
            [1.0, 2.0, 4.0].map(|value| Figure::new(if value > 1.0 { "theirs" } else { "landfall" }, [value]));
        let svg = svg(&report(compared("codec", "read", Unit::Micros, figures.into()))).expect("there are ratios");
        assert_eq!(svg.matches("class=\"theirs\"").count(), 2);
        assert!(svg.contains("width=\"270.0\"") && svg.contains("width=\"540.0\""), "{svg}");
        assert!(svg.contains("A &lt;fast> one"));
    }

    #[test]
    fn a_report_without_ratios_has_no_picture() {
        let rows = compared("cache", "insert", Unit::Bytes, vec![Figure::new("landfall", [1.0])]);
        assert_eq!(svg(&report(rows)), None);
    }
}
