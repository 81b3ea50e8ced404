//! The ratio table as a picture: plain SVG text, readable on light and on dark pages.

use std::fmt::Write as _;

use super::{Comparison, Verdict, figure, title, verdict};
use crate::results::{Results, Row};
use crate::scenario::Better;

const TITLE_WIDTH: usize = 330;
const CELL_WIDTH: usize = 134;
const LINE_HEIGHT: usize = 26;
const HEADING_HEIGHT: usize = 64;
const MARGIN: usize = 16;
const LEGEND_HEIGHT: usize = 30;
const LEGEND_WIDTH: usize = 720;

/// Rows of the picture; the rest is in the tables and in the JSON.
const PICTURED: [(&str, &str); 17] = [
    ("echo/text/64B/x1", "CPU per message"),
    ("echo/text/64B/x16", "CPU per message"),
    ("echo/text/64B/x64", "CPU per message"),
    ("echo/binary/64KiB/x1", "CPU per message"),
    ("echo/text/64B/x1", "messages"),
    ("echo/text/64B/x64", "messages"),
    ("echo/text/64B/x1", "latency p99"),
    ("echo/text/64B/x16", "latency p99"),
    ("echo/text/64B/x64", "latency p99"),
    ("memory/fresh", "memory per connection"),
    ("memory/after-16KiB", "memory per connection"),
    ("handshakes", "CPU per handshake"),
    ("handshakes", "handshakes"),
    ("fan-out/0-stalled", "CPU per delivery"),
    ("fan-out/0-stalled", "latency p50"),
    ("fan-out/10-stalled", "CPU per delivery"),
    ("fan-out/10-stalled", "latency p50"),
];

/// Draws the ratios of the rows that carry the claim.
pub fn draw(results: &Results, comparisons: &[Comparison]) -> String {
    let rows: Vec<&Row> = PICTURED
        .iter()
        .filter_map(|(scenario, metric)| {
            results
                .rows
                .iter()
                .find(|row| row.scenario == *scenario && row.metric == *metric)
        })
        .collect();
    let table_width = TITLE_WIDTH + CELL_WIDTH * comparisons.len();
    let width = 2 * MARGIN + table_width.max(LEGEND_WIDTH);
    let table_height = HEADING_HEIGHT + LINE_HEIGHT * rows.len();
    let height = 2 * MARGIN + table_height + LEGEND_HEIGHT;

    let mut picture = Picture::new(width, height);
    for (column, pair) in comparisons.iter().enumerate() {
        let middle = MARGIN + TITLE_WIDTH + CELL_WIDTH * column + CELL_WIDTH / 2;
        // A name is too long for a column where it says how the server was set.
        let (name, setting) = pair.server.split_once('+').unwrap_or((&pair.server, ""));
        let setting = if setting.is_empty() {
            String::new()
        } else {
            format!("+{setting}")
        };
        picture.text(middle, MARGIN + 16, "name", name);
        picture.text(middle, MARGIN + 33, "name", &setting);
        picture.text(middle, MARGIN + 50, "base", &format!("÷ {}", pair.baseline));
    }
    for (index, row) in rows.iter().enumerate() {
        let top = MARGIN + HEADING_HEIGHT + LINE_HEIGHT * index;
        let sense = if row.better == Better::Higher {
            " (more is better)"
        } else {
            ""
        };
        picture.text(MARGIN, top + 18, "row", &format!("{}{sense}", title(row)));
        for (column, pair) in comparisons.iter().enumerate() {
            let left = MARGIN + TITLE_WIDTH + CELL_WIDTH * column;
            picture.cell(left, top, row, pair);
        }
    }
    let legend = "Ratio of medians, measured turn by turn on one machine. \
                  Green: better than the baseline; red: worse; grey: within 5 %.";
    picture.text(MARGIN, MARGIN + table_height + 22, "note", legend);
    picture.finish()
}

struct Picture {
    out: String,
}

impl Picture {
    fn new(width: usize, height: usize) -> Self {
        let mut picture = Self { out: String::new() };
        picture.line(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-label="Ratios to hand-written servers">"#
        ));
        picture.line(format_args!(
            "<style>text{{font:13px system-ui,sans-serif;fill:#1f2328}}\
             .name,.base,.value{{text-anchor:middle}}.name,.value{{font-weight:600}}\
             .base,.note{{fill:#59636e;font-size:12px}}</style>"
        ));
        // A background of its own: the page behind may be dark.
        picture.line(format_args!(
            r##"<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>"##
        ));
        picture
    }

    fn cell(&mut self, left: usize, top: usize, row: &Row, pair: &Comparison) {
        let Comparison { server, baseline } = pair;
        let Some(ratio) = row.ratio(server, baseline) else {
            self.text(left + CELL_WIDTH / 2, top + 18, "base", "–");
            return;
        };
        let fill = match verdict(row, ratio) {
            Verdict::Better => "#b7e4c0",
            Verdict::Even => "#e7eaee",
            Verdict::Worse => "#f6c4c0",
        };
        let (width, height) = (CELL_WIDTH - 4, LINE_HEIGHT - 4);
        self.line(format_args!(
            r#"<rect x="{}" y="{}" width="{width}" height="{height}" rx="4" fill="{fill}"/>"#,
            left + 2,
            top + 2,
        ));
        let text = figure(row, &[server, baseline], ratio);
        self.text(left + CELL_WIDTH / 2, top + 18, "value", &text);
    }

    fn text(&mut self, x: usize, y: usize, class: &str, text: &str) {
        let text = escape(text);
        self.line(format_args!(
            r#"<text x="{x}" y="{y}" class="{class}">{text}</text>"#
        ));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{line}");
    }

    fn finish(mut self) -> String {
        self.out.push_str("</svg>\n");
        self.out
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Measurement, full};

    #[test]
    fn draws_a_coloured_cell_for_each_ratio() {
        let mut results = Results::default();
        for (server, value) in [("hand", 10.0), ("w<>", 5.0)] {
            let better = Better::Lower;
            let metric = "CPU per message";
            let value = Some(value);
            let run = Measurement {
                metric,
                unit: "µs",
                better,
                value,
                generator_bound: false,
            };
            results.record("echo/text/64B/x1", server, &[run]);
        }
        let pair = Comparison {
            server: "w<>".to_owned(),
            baseline: "hand".to_owned(),
        };
        let picture = draw(&results, &[pair]);
        assert!(
            picture.contains("w&lt;&gt;") && picture.contains("#b7e4c0"),
            "{picture}"
        );
        assert!(picture.contains(">0.50</text>"), "{picture}");
    }

    #[test]
    fn every_pictured_scenario_exists() {
        let names: Vec<_> = full().into_iter().map(|scenario| scenario.name).collect();
        for (scenario, _) in PICTURED {
            assert!(names.iter().any(|name| name == scenario), "{scenario}");
        }
    }
}
