//! The results as people and programs read them.

mod json;
mod svg;
mod text;

pub use json::{Measured, read_json, write_json};
pub use svg::draw;
pub use text::{absolute_table, ratio_table};

use crate::entry::Entry;
use crate::results::{Results, Row};
use crate::scenario::Better;

/// One column of ratios: a server divided by a baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Whose figures are divided.
    pub server: String,
    /// By whose they are.
    pub baseline: String,
}

/// Every comparison that the entries ask for and that the results can answer.
pub fn comparisons(entries: &[Entry], results: &Results) -> Vec<Comparison> {
    let measured = results.servers();
    let asked = entries.iter().flat_map(|entry| {
        entry.baselines.iter().map(|baseline| Comparison {
            server: entry.name.clone(),
            baseline: baseline.clone(),
        })
    });
    asked
        .filter(|pair| measured.contains(&*pair.server) && measured.contains(&*pair.baseline))
        .collect()
}

/// What a ratio says, beyond what is noise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    Even,
    Worse,
}

/// Ratios this near to one are called even: runs of one server differ by as much.
const EVEN: f64 = 0.05;

fn verdict(row: &Row, ratio: f64) -> Verdict {
    let gain = match row.better {
        Better::Lower => 1.0 / ratio,
        Better::Higher => ratio,
        Better::Neither => 1.0,
    };
    if gain > 1.0 + EVEN {
        Verdict::Better
    } else if gain < 1.0 - EVEN {
        Verdict::Worse
    } else {
        Verdict::Even
    }
}

/// A ratio or a figure in three significant digits, with `~` behind what the generator limited.
fn figure(row: &Row, servers: &[&str], value: f64) -> String {
    let mark = if servers
        .iter()
        .any(|server| row.generator_bound.contains(*server))
    {
        "~"
    } else {
        ""
    };
    format!("{}{mark}", significant(value))
}

fn significant(value: f64) -> String {
    match value.abs() {
        0.0..10.0 => format!("{value:.2}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// `scenario · metric`, the name of a row.
fn title(row: &Row) -> String {
    format!("{} · {}", row.scenario, row.metric)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn row(better: Better) -> Row {
        Row {
            scenario: "echo".to_owned(),
            metric: "CPU".into(),
            unit: "µs".into(),
            better,
            turns: BTreeMap::new(),
            generator_bound: BTreeSet::from(["fast".to_owned()]),
        }
    }

    #[test]
    fn less_is_better_or_more_is() {
        assert_eq!(verdict(&row(Better::Lower), 0.5), Verdict::Better);
        assert_eq!(verdict(&row(Better::Higher), 0.5), Verdict::Worse);
        assert_eq!(verdict(&row(Better::Lower), 1.04), Verdict::Even);
        assert_eq!(verdict(&row(Better::Neither), 9.0), Verdict::Even);
    }

    #[test]
    fn figures_have_three_digits_and_a_mark() {
        let row = row(Better::Lower);
        assert_eq!(figure(&row, &["slow"], 0.5), "0.50");
        assert_eq!(figure(&row, &["slow"], 12.34), "12.3");
        assert_eq!(figure(&row, &["slow", "fast"], 1234.5), "1234~");
    }
}
