//! Figures by scenario, metric and server; medians and ratios of them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::scenario::{Better, Measurement};

/// Everything that was measured, in the order in which it was.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// One row for each metric of each scenario.
    pub rows: Vec<Row>,
}

/// One metric of one scenario, of all servers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// What was measured.
    pub metric: Cow<'static, str>,
    /// Its unit.
    pub unit: Cow<'static, str>,
    /// Which way is better.
    pub better: Better,
    /// Each server's figures, one a turn.
    pub turns: BTreeMap<String, Vec<f64>>,
    /// Servers that were faster than the generator in at least one turn.
    pub generator_bound: BTreeSet<String>,
}

impl Results {
    /// Adds the figures of one run.
    pub fn record(&mut self, scenario: &str, server: &str, measurements: &[Measurement]) {
        for measurement in measurements {
            let row = self.row(scenario, measurement);
            if let Some(value) = measurement.value {
                row.turns.entry(server.to_owned()).or_default().push(value);
            }
            if measurement.generator_bound {
                row.generator_bound.insert(server.to_owned());
            }
        }
    }

    /// Names of the servers that have a figure anywhere.
    pub fn servers(&self) -> BTreeSet<&str> {
        self.rows
            .iter()
            .flat_map(|row| row.turns.keys().map(String::as_str))
            .collect()
    }

    fn row(&mut self, scenario: &str, measurement: &Measurement) -> &mut Row {
        let metric = measurement.metric;
        let found = self
            .rows
            .iter()
            .position(|row| row.scenario == scenario && row.metric == metric);
        let index = found.unwrap_or_else(|| {
            self.rows.push(Row {
                scenario: scenario.to_owned(),
                metric: metric.into(),
                unit: measurement.unit.into(),
                better: measurement.better,
                turns: BTreeMap::new(),
                generator_bound: BTreeSet::new(),
            });
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }
}

impl Row {
    /// Median of a server's turns.
    pub fn median(&self, server: &str) -> Option<f64> {
        median(self.turns.get(server)?)
    }

    /// A server's median over a baseline's.
    pub fn ratio(&self, server: &str, baseline: &str) -> Option<f64> {
        let ratio = self.median(server)? / self.median(baseline)?;
        ratio.is_finite().then_some(ratio)
    }

    /// Least and greatest ratio of a server's and a baseline's figures of the same turn: how far
    /// to trust the ratio of the medians.
    pub fn ratio_range(&self, server: &str, baseline: &str) -> Option<(f64, f64)> {
        let pairs = self
            .turns
            .get(server)?
            .iter()
            .zip(self.turns.get(baseline)?);
        pairs
            .map(|(value, base)| value / base)
            .filter(|ratio| ratio.is_finite())
            .fold(None, |range, ratio| match range {
                None => Some((ratio, ratio)),
                Some((low, high)) => Some((f64::min(low, ratio), f64::max(high, ratio))),
            })
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(sorted[sorted.len() / 2 - 1], upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(value: f64) -> [Measurement; 1] {
        let better = Better::Lower;
        let value = Some(value);
        [Measurement {
            metric: "CPU",
            unit: "µs",
            better,
            value,
            generator_bound: false,
        }]
    }

    #[test]
    fn medians_of_odd_and_even_numbers_of_turns() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn ratios_are_of_medians_and_their_range_of_turns() {
        let mut results = Results::default();
        for (hand, wharf) in [(10.0, 5.0), (12.0, 5.0), (8.0, 6.0)] {
            results.record("echo", "hand", &cpu(hand));
            results.record("echo", "wharf", &cpu(wharf));
        }
        let row = &results.rows[0];
        assert_eq!(results.rows.len(), 1);
        assert_eq!(row.ratio("wharf", "hand"), Some(0.5));
        assert_eq!(row.ratio_range("wharf", "hand"), Some((5.0 / 12.0, 0.75)));
        assert_eq!(row.ratio("wharf", "nobody"), None);
    }
}
