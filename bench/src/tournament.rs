//! Runs every scenario against every server, turn by turn.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::certificate::Certificate;
use crate::entry::Entry;
use crate::load::{Door, Target, Window};
use crate::machine::wait_for_calm;
use crate::results::Results;
use crate::scenario::{Measurement, Scenario, is_disturbed};

/// Longest time that a run may take beyond its window: opening connections, settling, closing.
const RUN_ALLOWANCE: Duration = Duration::from_secs(60);

/// How often a run that other work disturbed is repeated before it is taken as it is.
const REPEATS: usize = 2;

/// Who is measured, on what, how often and for how long.
#[derive(Clone, Debug)]
pub struct Tournament {
    /// The servers.
    pub entries: Vec<Entry>,
    /// The loads.
    pub scenarios: Vec<Scenario>,
    /// Runs of each server under each load.
    pub turns: usize,
    /// How long each run is.
    pub window: Window,
    /// Longest wait in all for other work on the machine to end, before a run that it disturbed
    /// is repeated.
    pub patience: Duration,
    /// Threads of the load generator, at least one.
    pub generator_threads: usize,
    /// What servers show over TLS.
    pub certificate: Certificate,
}

impl Tournament {
    /// Runs everything: for each scenario all servers one after the other, then all again, so
    /// that a machine that grows slower or faster does so for all of them. Every run has a server
    /// process of its own.
    ///
    /// A run that fails is reported on standard error, with the others going on; one that other
    /// work on the machine disturbed is repeated, at most twice.
    ///
    /// # Errors
    ///
    /// The generator's runtime cannot be started.
    pub fn run(&self) -> io::Result<(Results, Troubles)> {
        let runtime = self.generator()?;
        let mut results = Results::default();
        let mut troubles = Troubles::default();
        for (number, scenario) in self.scenarios.iter().enumerate() {
            eprint!(
                "[{}/{}] {} ",
                number + 1,
                self.scenarios.len(),
                scenario.name
            );
            for _ in 0..self.turns {
                for entry in self
                    .entries
                    .iter()
                    .filter(|entry| takes_part(entry, scenario))
                {
                    match self.run_undisturbed(&runtime, entry, scenario, &mut troubles) {
                        Ok(figures) => results.record(&scenario.name, &entry.name, &figures),
                        Err(error) => {
                            troubles.failed += 1;
                            eprint!("\n  {}: {error}\n  ", entry.name);
                        }
                    }
                }
            }
            eprintln!();
        }
        Ok((results, troubles))
    }

    fn generator(&self) -> io::Result<Runtime> {
        let mut builder = match self.generator_threads {
            0 | 1 => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        builder
            .worker_threads(self.generator_threads.max(1))
            .enable_all()
            .build()
    }

    fn run_undisturbed(
        &self,
        runtime: &Runtime,
        entry: &Entry,
        scenario: &Scenario,
        troubles: &mut Troubles,
    ) -> io::Result<Vec<Measurement>> {
        for _ in 0..REPEATS {
            let figures = runtime.block_on(self.run_once(entry, scenario))?;
            if !is_disturbed(&figures) {
                eprint!(".");
                return Ok(figures);
            }
            eprint!("~");
            troubles.waited += wait_for_calm(self.patience.saturating_sub(troubles.waited))?;
        }
        let figures = runtime.block_on(self.run_once(entry, scenario))?;
        let disturbed = is_disturbed(&figures);
        troubles.disturbed += usize::from(disturbed);
        eprint!("{}", if disturbed { "!" } else { "." });
        Ok(figures)
    }

    async fn run_once(&self, entry: &Entry, scenario: &Scenario) -> io::Result<Vec<Measurement>> {
        let server = entry.start(self.certificate.folder())?;
        let path = entry
            .routes
            .get(&scenario.role)
            .ok_or_else(|| io::Error::other("the server has no such route"))?;
        let deadline = self.window.warm_up + self.window.measured + RUN_ALLOWANCE;
        let running = async {
            let certificate = Some(&self.certificate);
            let door = Door::open(server.addr(), path, entry.over, entry.offer, certificate);
            let target = Target {
                door: Arc::new(door.await?),
                pid: server.pid(),
            };
            scenario.run(&target, self.window).await
        };
        timeout(deadline, running)
            .await
            .map_err(|_| io::Error::other(format!("not done in {deadline:?}")))?
    }
}

/// Runs that did not go as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Troubles {
    /// Runs without figures.
    pub failed: usize,
    /// Runs whose figures other work on the machine had a part in, each time.
    pub disturbed: usize,
    /// Time spent waiting for other work to end.
    pub waited: Duration,
}

fn takes_part(entry: &Entry, scenario: &Scenario) -> bool {
    entry.routes.contains_key(&scenario.role)
}
