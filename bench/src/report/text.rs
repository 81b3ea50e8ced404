//! The two tables on the terminal.

use std::fmt::Write as _;

use super::{Comparison, figure, title};
use crate::entry::Entry;
use crate::results::Results;
use crate::scenario::Better;

/// Ratios: a row for each metric, a column for each comparison.
pub fn ratio_table(results: &Results, comparisons: &[Comparison]) -> String {
    let mut table = Table::new("ratio to the baseline");
    for pair in comparisons {
        table.column(&pair.server, &format!("÷ {}", pair.baseline));
    }
    for row in results
        .rows
        .iter()
        .filter(|row| row.better != Better::Neither)
    {
        let arrow = if row.better == Better::Lower {
            "↓"
        } else {
            "↑"
        };
        table.row(&format!("{} {arrow}", title(row)));
        for Comparison { server, baseline } in comparisons {
            let ratio = row.ratio(server, baseline);
            table.cell(ratio.map(|ratio| figure(row, &[server, baseline], ratio)));
        }
    }
    table.render()
}

/// Medians: a row for each metric, a column for each server.
pub fn absolute_table(results: &Results, entries: &[Entry]) -> String {
    let measured = results.servers();
    let entries: Vec<_> = entries
        .iter()
        .filter(|entry| measured.contains(entry.name.as_str()))
        .collect();
    let mut table = Table::new("median of the turns");
    for entry in &entries {
        table.column(&entry.name, "");
    }
    for row in &results.rows {
        table.row(&format!("{}, {}", title(row), row.unit));
        for entry in &entries {
            let median = row.median(&entry.name);
            table.cell(median.map(|median| figure(row, &[&entry.name], median)));
        }
    }
    table.render()
}

/// Lines of cells, the first column to the left, the others to the right.
struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    fn new(corner: &str) -> Self {
        Self {
            lines: vec![vec![corner.to_owned()], vec![String::new()]],
        }
    }

    fn column(&mut self, upper: &str, lower: &str) {
        self.lines[0].push(upper.to_owned());
        self.lines[1].push(lower.to_owned());
    }

    fn row(&mut self, title: &str) {
        self.lines.push(vec![title.to_owned()]);
    }

    fn cell(&mut self, text: Option<String>) {
        let line = self
            .lines
            .last_mut()
            .expect("a table begins with two lines of headings");
        line.push(text.unwrap_or_else(|| "–".to_owned()));
    }

    fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.lines[0].len()).map(width).collect();
        let mut out = String::new();
        for line in self
            .lines
            .iter()
            .filter(|line| line.iter().any(|cell| !cell.is_empty()))
        {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                // Writing to a string cannot fail.
                let _ = match column {
                    0 => write!(out, "{cell:<width$}"),
                    _ => write!(out, "  {cell:>width$}"),
                };
            }
            out.truncate(out.trim_end().len());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new("what");
        table.column("a", "÷ b");
        table.row("first row");
        table.cell(Some("1.00".to_owned()));
        table.row("second");
        table.cell(None);
        let expected = "what          a\n            ÷ b\nfirst row  1.00\nsecond        –\n";
        assert_eq!(table.render(), expected);
    }
}
