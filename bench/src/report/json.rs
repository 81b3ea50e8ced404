//! The figures for programs: every turn, the medians and the ratios.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Comparison;
use crate::entry::Entry;
use crate::machine::Machine;
use crate::results::Results;
use crate::tournament::Tournament;

/// Writes everything that is known about a tournament.
///
/// # Errors
///
/// The file cannot be written.
pub fn write_json(
    file: &Path,
    tournament: &Tournament,
    results: &Results,
    comparisons: &[Comparison],
) -> io::Result<()> {
    let document = Document {
        measured_at_unix_seconds: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()),
        machine: Machine::describe(),
        turns: tournament.turns,
        measured_seconds: tournament.window.measured.as_secs_f64(),
        servers: &tournament.entries,
        ratios: ratios(results, comparisons),
        figures: results,
    };
    fs::write(file, serde_json::to_vec_pretty(&document)?)
}

/// What a picture is drawn from.
#[derive(Debug, Deserialize)]
pub struct Measured {
    /// Who was measured.
    pub servers: Vec<Entry>,
    /// What was.
    pub figures: Results,
}

/// Reads what [`write_json`] wrote.
///
/// # Errors
///
/// The file cannot be read or is not of that form.
pub fn read_json(file: &Path) -> io::Result<Measured> {
    serde_json::from_slice(&fs::read(file)?)
        .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
}

#[derive(Serialize)]
struct Document<'a> {
    measured_at_unix_seconds: u64,
    machine: Machine,
    turns: usize,
    measured_seconds: f64,
    servers: &'a [Entry],
    ratios: Vec<Ratio<'a>>,
    figures: &'a Results,
}

#[derive(Serialize)]
struct Ratio<'a> {
    scenario: &'a str,
    metric: &'a str,
    server: &'a str,
    baseline: &'a str,
    /// Of the medians.
    ratio: f64,
    /// Least and greatest of a turn.
    lowest: f64,
    highest: f64,
    generator_bound: bool,
}

fn ratios<'a>(results: &'a Results, comparisons: &'a [Comparison]) -> Vec<Ratio<'a>> {
    let pairs = results
        .rows
        .iter()
        .flat_map(|row| comparisons.iter().map(move |pair| (row, pair)));
    pairs
        .filter_map(|(row, Comparison { server, baseline })| {
            let (lowest, highest) = row.ratio_range(server, baseline)?;
            let bound = |name: &String| row.generator_bound.contains(name);
            Some(Ratio {
                scenario: &row.scenario,
                metric: &row.metric,
                server,
                baseline,
                ratio: row.ratio(server, baseline)?,
                lowest,
                highest,
                generator_bound: bound(server) || bound(baseline),
            })
        })
        .collect()
}
