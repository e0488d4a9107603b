//! A bar chart as SVG: one panel for each quantity and prompt, ours in colour.

use std::fmt::Write as _;

use super::table::digits;

const WIDTH: f64 = 960.0;
const LABELS: f64 = 320.0;
/// Room for the number behind the longest bar.
const NUMBERS: f64 = 90.0;
const BAR: f64 = 18.0;
const STEP: f64 = 24.0;
const TITLE: f64 = 40.0;
const CAPTION: f64 = 18.0;
const OURS: &str = "#0b7285";
const PEER: &str = "#adb5bd";

/// One bar.
pub struct Bar {
    /// Who.
    pub label: String,
    /// Its length, in the panel's unit.
    pub value: f64,
    /// Where the best round would end it: a thin line goes on to there.
    pub best: f64,
    /// Whether it is ours.
    pub ours: bool,
}

/// Bars of one quantity, longest on top.
pub struct Panel {
    /// Over the bars, with the unit.
    pub title: String,
    /// In any order.
    pub bars: Vec<Bar>,
}

/// The whole picture; `caption` are its last lines.
pub fn svg(title: &str, panels: &[Panel], caption: &[&str]) -> String {
    let filled: Vec<&Panel> = panels.iter().filter(|panel| !panel.bars.is_empty()).collect();
    let rows: usize = filled.iter().map(|panel| panel.bars.len()).sum();
    let height = TITLE + filled.len() as f64 * TITLE + rows as f64 * STEP + 24.0 + caption.len() as f64 * CAPTION;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"13\" role=\"img\">\n<title>{0}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"16\" y=\"28\" font-size=\"18\" font-weight=\"600\">{0}</text>\n",
        escape(title)
    );
    let mut y = TITLE;
    for panel in filled {
        let _ = writeln!(out, "<text x=\"16\" y=\"{}\" font-weight=\"600\">{}</text>", y + 26.0, escape(&panel.title));
        y = bars(&mut out, panel, y + TITLE);
    }
    for (line, text) in caption.iter().enumerate() {
        let y = y + 24.0 + line as f64 * CAPTION;
        let _ = writeln!(out, "<text x=\"16\" y=\"{y}\" font-size=\"11\" fill=\"#495057\">{}</text>", escape(text));
    }
    out.push_str("</svg>\n");
    out
}

/// Draws a panel's bars from `y` on and returns where they end.
fn bars(out: &mut String, panel: &Panel, mut y: f64) -> f64 {
    let longest = panel.bars.iter().map(|bar| bar.best.max(bar.value)).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABELS - NUMBERS) / longest;
    let mut sorted: Vec<&Bar> = panel.bars.iter().collect();
    sorted.sort_by(|a, b| b.value.total_cmp(&a.value));
    for bar in sorted {
        let (length, best) = ((bar.value * scale).max(1.0), bar.best.max(bar.value) * scale);
        let (middle, text_y) = (y + BAR / 2.0, y + BAR - 4.0);
        let colour = if bar.ours { OURS } else { PEER };
        let weight = if bar.ours { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{text_y:.1}\" text-anchor=\"end\"{weight}>{}</text>\n\
             <rect x=\"{LABELS}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>\n\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\" stroke=\"#212529\" stroke-width=\"1\"/>\n\
             <text x=\"{:.1}\" y=\"{text_y:.1}\">{}</text>",
            LABELS - 8.0,
            escape(&bar.label),
            LABELS + length,
            LABELS + best,
            LABELS + best + 6.0,
            digits(bar.value)
        );
        y += STEP;
    }
    y
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(label: &str, value: f64, ours: bool) -> Bar {
        Bar { label: label.to_owned(), value, best: value * 1.1, ours }
    }

    #[test]
    fn bars_are_sorted_scaled_and_escaped() {
        let panel =
            Panel { title: "decode, tok/s".to_owned(), bars: vec![bar("a<b", 10.0, false), bar("c", 20.0, true)] };
        let empty = Panel { title: "nothing".to_owned(), bars: Vec::new() };
        let picture = svg("t & u", &[panel, empty], &["caption"]);
        assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
        assert!(picture.contains("a&lt;b") && picture.contains("t &amp; u") && !picture.contains("nothing"));
        assert!(
            picture.find(">c<").expect("ours") < picture.find("a&lt;b").expect("theirs"),
            "the longest comes first"
        );
        let width = |value: f64| format!("width=\"{:.1}\"", value / 22.0 * (WIDTH - LABELS - NUMBERS));
        assert!(picture.contains(&width(20.0)) && picture.contains(&width(10.0)), "{picture}");
        assert_eq!(picture.matches("<text").count(), picture.matches("</text>").count());
    }

    #[test]
    fn a_chart_of_nothing_is_still_a_picture() {
        assert!(svg("empty", &[], &[]).contains("</svg>"));
    }
}
