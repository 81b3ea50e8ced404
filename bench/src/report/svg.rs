//! The ratio table as a picture: plain SVG text, readable on light and on dark pages.

use std::fmt::Write as _;

use super::{Comparison, Verdict, figure, verdict};
use crate::results::{Results, Row};

const TITLE_WIDTH: usize = 210;
const CELL_WIDTH: usize = 124;
const LINE_HEIGHT: usize = 26;
const GROUP_HEIGHT: usize = 32;
const HEADING_HEIGHT: usize = 58;
const MARGIN: usize = 16;
const LEGEND_HEIGHT: usize = 30;
const LEGEND_WIDTH: usize = 720;

/// Rows of the picture that show one metric.
struct Group {
    heading: &'static str,
    metric: &'static str,
    /// Scenarios and what they are called under the heading.
    rows: &'static [(&'static str, &'static str)],
}

/// What the picture shows; the rest is in the tables and in the JSON.
const PICTURED: [Group; 8] = [
    Group {
        heading: "Server CPU per message",
        metric: "CPU per message",
        rows: &[
            ("echo/text/64B/x1", "64 B, 1 in flight"),
            ("echo/text/64B/x16", "64 B, 16 in flight"),
            ("echo/text/64B/x64", "64 B, 64 in flight"),
            ("echo/binary/64KiB/x1", "64 KiB, 1 in flight"),
        ],
    },
    Group {
        heading: "Messages a second (more is better)",
        metric: "messages",
        rows: &[
            ("echo/text/64B/x1", "64 B, 1 in flight"),
            ("echo/text/64B/x64", "64 B, 64 in flight"),
        ],
    },
    Group {
        heading: "Latency, p99",
        metric: "latency p99",
        rows: &[
            ("echo/text/64B/x1", "64 B, 1 in flight"),
            ("echo/text/64B/x16", "64 B, 16 in flight"),
            ("echo/text/64B/x64", "64 B, 64 in flight"),
        ],
    },
    Group {
        heading: "Memory per idle connection",
        metric: "memory per connection",
        rows: &[
            ("memory/fresh", "fresh"),
            ("memory/after-16KiB", "after a message of 16 KiB"),
        ],
    },
    Group {
        heading: "Server CPU per handshake",
        metric: "CPU per handshake",
        rows: &[("handshakes", "32 under way")],
    },
    Group {
        heading: "Handshakes a second (more is better)",
        metric: "handshakes",
        rows: &[("handshakes", "32 under way")],
    },
    Group {
        heading: "Fan-out to 1,000 sockets: server CPU per delivery",
        metric: "CPU per delivery",
        rows: &[
            ("fan-out/0-stalled", "all read"),
            ("fan-out/10-stalled", "beside 10 that stall"),
        ],
    },
    Group {
        heading: "Fan-out to 1,000 sockets: time until the last has it, p50",
        metric: "latency p50",
        rows: &[
            ("fan-out/0-stalled", "all read"),
            ("fan-out/10-stalled", "beside 10 that stall"),
        ],
    },
];

/// Draws the ratios of the rows that carry the claim.
pub fn draw(results: &Results, comparisons: &[Comparison]) -> String {
    let columns = pictured_columns(comparisons);
    let groups: Vec<_> = PICTURED
        .iter()
        .map(|group| (group.heading, measured_rows(results, group)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let lines: usize = groups.iter().map(|(_, rows)| rows.len()).sum();
    let table_width = TITLE_WIDTH + CELL_WIDTH * columns.len();
    let table_height = HEADING_HEIGHT + GROUP_HEIGHT * groups.len() + LINE_HEIGHT * lines;
    let width = 2 * MARGIN + table_width.max(LEGEND_WIDTH);
    let height = 2 * MARGIN + table_height + LEGEND_HEIGHT;

    let mut picture = Picture::new(width, height);
    for (column, pair) in columns.iter().enumerate() {
        let middle = MARGIN + TITLE_WIDTH + CELL_WIDTH * column + CELL_WIDTH / 2;
        // A name is too long for a column where it says how the server was set.
        let (name, setting) = pair.server.split_once('+').unwrap_or((&pair.server, ""));
        let setting = if setting.is_empty() {
            String::new()
        } else {
            format!("+{setting}")
        };
        picture.text(middle, MARGIN + 14, "name", name);
        picture.text(middle, MARGIN + 29, "base", &setting);
        picture.text(middle, MARGIN + 46, "base", &format!("÷ {}", pair.baseline));
    }
    let mut top = MARGIN + HEADING_HEIGHT;
    for (heading, rows) in groups {
        picture.text(MARGIN, top + 22, "group", heading);
        top += GROUP_HEIGHT;
        for (title, row) in rows {
            picture.text(MARGIN + 10, top + 18, "row", title);
            for (column, pair) in columns.iter().enumerate() {
                let left = MARGIN + TITLE_WIDTH + CELL_WIDTH * column;
                picture.cell(left, top, row, pair);
            }
            top += LINE_HEIGHT;
        }
    }
    let legend = "Ratio of medians, measured turn by turn on one machine. \
                  Green: better than the baseline; red: worse; grey: within 5 %.";
    picture.text(MARGIN, MARGIN + table_height + 24, "note", legend);
    picture.finish()
}

/// Leaves out what is no comparison of two servers, but of one with itself set otherwise, and a
/// library as it comes where it is there with `TCP_NODELAY` too.
fn pictured_columns(comparisons: &[Comparison]) -> Vec<&Comparison> {
    let plain = |name: &str| name.split('+').next().unwrap_or_default().to_owned();
    let is_set_better = |pair: &Comparison| {
        comparisons.iter().any(|other| {
            other.baseline == pair.baseline
                && other.server != pair.server
                && plain(&other.server) == pair.server
        })
    };
    comparisons
        .iter()
        .filter(|pair| plain(&pair.server) != plain(&pair.baseline) && !is_set_better(pair))
        .collect()
}

fn measured_rows<'a>(results: &'a Results, group: &Group) -> Vec<(&'static str, &'a Row)> {
    let rows = group.rows.iter();
    rows.filter_map(|(scenario, title)| {
        let row = results
            .rows
            .iter()
            .find(|row| row.scenario == *scenario && row.metric == group.metric)?;
        Some((*title, row))
    })
    .collect()
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
             .name,.base,.value{{text-anchor:middle}}.name,.value,.group{{font-weight:600}}\
             .name{{font-size:12px}}.base,.note{{fill:#59636e;font-size:11px}}</style>"
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
    use crate::scenario::{Better, Measurement, full};

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
    fn a_server_beside_itself_is_left_out() {
        let pair = |server: &str, baseline: &str| Comparison {
            server: server.to_owned(),
            baseline: baseline.to_owned(),
        };
        let pairs = [
            pair("axum", "axum+nodelay"),
            pair("wharf-axum", "axum+nodelay"),
            pair("wharf-axum", "axum"),
            pair("library", "axum+nodelay"),
            pair("library+nodelay", "axum+nodelay"),
        ];
        assert_eq!(pictured_columns(&pairs), [&pairs[1], &pairs[2], &pairs[4]]);
    }

    #[test]
    fn every_pictured_scenario_exists() {
        let names: Vec<_> = full().into_iter().map(|scenario| scenario.name).collect();
        for (scenario, _) in PICTURED.iter().flat_map(|group| group.rows) {
            assert!(names.iter().any(|name| name == scenario), "{scenario}");
        }
    }
}
