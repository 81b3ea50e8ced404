//! Makes a failing round smaller.

use std::time::Duration;

use super::{
    Arena,
    round::{Op, Round},
};

/// How many smaller rounds are tried.
const ATTEMPTS: usize = 200;

/// The smallest round found that fails too, with its report; `None` if the round itself does not
/// fail again.
pub(super) async fn smallest(
    arena: &Arena,
    round: Round,
    patience: Duration,
) -> Option<(Round, String)> {
    let mut best = fails(arena, &round, patience)
        .await
        .map(|report| (round, report))?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let mut is_smaller = false;
        for candidate in candidates(&best.0) {
            if attempts.next().is_none() {
                break;
            }
            if let Some(report) = fails(arena, &candidate, patience).await {
                best = (candidate, report);
                is_smaller = true;
                break;
            }
        }
        if !is_smaller {
            return Some(best);
        }
    }
}

/// Plays it a few times: some failures need luck.
async fn fails(arena: &Arena, round: &Round, patience: Duration) -> Option<String> {
    for _ in 0..3 {
        let report = arena.play(round, patience).await;
        if report.is_some() {
            return report;
        }
    }
    None
}

/// The round with one thing less, each.
fn candidates(round: &Round) -> Vec<Round> {
    let mut candidates = Vec::new();
    for index in 0..round.ops.len() {
        let is_referred_to = round.terms.takes_over()
            && round.ops[index].is_message()
            && round.ops[index + 1..].iter().any(Op::is_message);
        if is_referred_to {
            continue;
        }
        let mut less = round.clone();
        less.ops.remove(index);
        candidates.push(less);
    }
    for index in 0..round.ops.len() {
        if !round.ops[index].cuts.is_empty() {
            let mut less = round.clone();
            less.ops[index].cuts.clear();
            candidates.push(less);
        }
    }
    if round.is_early {
        let mut less = round.clone();
        less.is_early = false;
        candidates.push(less);
    }
    candidates
}
