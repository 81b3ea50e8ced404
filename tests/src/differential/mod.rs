//! Differential fuzzing: random clients, and every host must do the same.
//!
//! A round is one session's life, made from a seed: valid messages and control frames, fragmented
//! and cut into packets anywhere, on some routes compressed with context takeover or without, in
//! front of a close, of something forbidden, or of nothing more.
//! Every round is played on every host, against handlers of several kinds on routes with several
//! limits. What came back, what the handler saw and what the observers were told must be equal on
//! all of them, and equal to what the round's maker knows has to come of it: the maker planted the
//! violation, so it knows its code, without decoding anything.
//!
//! In other rounds (feature `client`, `Differential::run_client`) Wharf's client is what is tested: it
//! runs the same handlers on its side, and the round's maker is the server that it dials.
//!
//! The in-memory host always takes part. A driver's author adds their own:
//!
//! ```no_run
//! use wharf_conformance::{Host, differential::Differential};
//!
//! # fn of(my_host: &dyn Host) {
//! Differential::new().rounds(1000).check(&[("mine", my_host)]);
//! # }
//! ```
//!
//! What fails prints its seed, and the smallest part of the round that still fails.
//! `WHARF_ROUND=<seed>` in the environment makes [`Differential::check`] play that round alone. The
//! hosts of this package run by one command, for as many rounds as wanted:
//!
//! ```text
//! cargo run --release -p wharf-conformance --bin differential -- --rounds 1000000
//! ```

mod app;
#[cfg(feature = "client")]
mod dialled;
mod plan;
mod play;
mod round;
mod script;
mod shrink;
mod terms;
mod transcript;
mod violation;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use tokio::task::JoinSet;
use wharf_sdk::driver::Capabilities;

use self::{
    app::Ledger,
    plan::Plan,
    round::{Round, Side},
    transcript::{COMPRESSED, REASONS, Transcript},
};
use crate::{Host, MemoryHost, Request, Running, client::PATIENCE};

/// How long anything may take while a failing round is made smaller, which fails again and again.
const SHRINKING_PATIENCE: Duration = Duration::from_secs(1);

/// How many rounds are played at the same time.
const CONCURRENT_ROUNDS: usize = 32;

/// Rounds to play.
#[derive(Debug, Clone)]
#[must_use = "it plays nothing until it is run"]
pub struct Differential {
    seed: u64,
    rounds: u64,
    patience: Duration,
    is_talkative: bool,
}

/// A round that did not go as it should.
#[derive(Debug, Clone)]
pub struct Difference {
    /// The round's seed.
    pub seed: u64,
    /// What was different, the smallest round that still shows it, and what happened in it.
    pub report: String,
}

impl Differential {
    /// A thousand rounds from a fresh seed.
    pub fn new() -> Self {
        Self {
            seed: fastrand::u64(..) >> 16,
            rounds: 1000,
            patience: PATIENCE,
            is_talkative: false,
        }
    }

    /// Starts at this seed: each round takes the next one.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Plays this many rounds.
    pub fn rounds(mut self, rounds: u64) -> Self {
        self.rounds = rounds;
        self
    }

    /// Gives up after this long where nothing comes.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Prints now and then how far it is.
    pub fn talkative(mut self) -> Self {
        self.is_talkative = true;
        self
    }

    /// The first round's seed.
    pub fn first_seed(&self) -> u64 {
        self.seed
    }

    /// Plays the rounds on these hosts, each under a name for the report, and on the in-memory one.
    ///
    /// # Errors
    ///
    /// The first round that did not go as it should.
    pub async fn run(&self, hosts: &[(&str, &dyn Host)]) -> Result<(), Difference> {
        self.run_in(Arena::open(hosts).await).await
    }

    /// Plays the rounds on Wharf's own client, with the rounds' maker as its server: over TCP and,
    /// where there are such, over Unix sockets.
    ///
    /// # Errors
    ///
    /// The first round that did not go as it should.
    #[cfg(feature = "client")]
    pub async fn run_client(&self) -> Result<(), Difference> {
        self.run_in(Arena::of_clients(dialled::WAYS)).await
    }

    async fn run_in(&self, arena: Arena) -> Result<(), Difference> {
        let arena = Arc::new(arena);
        let mut playing = JoinSet::new();
        let mut found = None;
        for number in 0..self.rounds {
            if self.is_talkative && number > 0 && number.is_multiple_of(10_000) {
                println!("{number} rounds");
            }
            if playing.len() >= CONCURRENT_ROUNDS {
                found = next(&mut playing).await;
            }
            if found.is_some() {
                break;
            }
            let (arena, patience) = (Arc::clone(&arena), self.patience);
            let seed = self.seed.wrapping_add(number);
            playing.spawn(async move {
                let round = Round::of(seed, arena.against);
                let report = arena.play(&round, patience).await?;
                Some((seed, round, report))
            });
        }
        while found.is_none() && !playing.is_empty() {
            found = next(&mut playing).await;
        }
        if let Some((seed, round, report)) = found {
            // What is still being played may fail too, and would be in the way.
            playing.shutdown().await;
            return Err(explain(&arena, seed, round, &report, self.patience).await);
        }
        let strays = arena.strays();
        if strays.is_empty() {
            return Ok(());
        }
        Err(Difference {
            seed: self.seed,
            report: format!("observers were told of sessions that were over: {strays:#?}"),
        })
    }

    /// The same, as a test: prints the seed, and panics with the report.
    ///
    /// # Panics
    ///
    /// If a round did not go as it should.
    pub fn check(self, hosts: &[(&str, &dyn Host)]) {
        self.check_that(async |rounds| rounds.run(hosts).await);
    }

    /// The same for [`run_client`](Self::run_client).
    ///
    /// # Panics
    ///
    /// If a round did not go as it should.
    #[cfg(feature = "client")]
    pub fn check_client(self) {
        self.check_that(async |rounds| rounds.run_client().await);
    }

    fn check_that(mut self, run: impl AsyncFnOnce(&Self) -> Result<(), Difference>) {
        if let Ok(seed) = std::env::var("WHARF_ROUND") {
            self.seed = seed.parse().expect("WHARF_ROUND is the number of a seed");
            self.rounds = 1;
        }
        println!("{} rounds from seed {}", self.rounds, self.seed);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        if let Err(difference) = runtime.block_on(run(&self)) {
            panic!("{difference}");
        }
    }
}

impl Default for Differential {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, report } = self;
        writeln!(f, "the round of seed {seed} did not go as it should")?;
        writeln!(f, "{report}")?;
        writeln!(
            f,
            "to play it again: set WHARF_ROUND={seed} for the test, or"
        )?;
        write!(
            f,
            "cargo run --release -p wharf-conformance --bin differential -- --seed {seed} --rounds 1"
        )
    }
}

type Found = (u64, Round, String);

async fn next(playing: &mut JoinSet<Option<Found>>) -> Option<Found> {
    playing.join_next().await?.expect("a round does not panic")
}

async fn explain(
    arena: &Arena,
    seed: u64,
    round: Round,
    report: &str,
    patience: Duration,
) -> Difference {
    let patience = patience.min(SHRINKING_PATIENCE);
    let first = report.lines().next().unwrap_or_default().to_owned();
    let report = match shrink::smallest(arena, round.clone(), patience).await {
        Some((smallest, report)) => {
            format!("{first}\nthe smallest part of it that fails too:\n{smallest}\n{report}")
        }
        None => format!("it went well when it was played again, alone\n{round}\n{report}"),
    };
    Difference { seed, report }
}

/// Every host, serving; or every way of the client's.
struct Arena {
    against: Side,
    stands: Vec<Stand>,
    /// The next session's number.
    next: AtomicU64,
}

/// One host, serving the app with a ledger of its own; or one way of the client's.
struct Stand {
    name: String,
    tested: Tested,
    capabilities: Capabilities,
    ledger: Ledger,
}

impl Arena {
    async fn open(hosts: &[(&str, &dyn Host)]) -> Self {
        let mut stands = vec![Stand::open("memory", &MemoryHost).await];
        for (name, host) in hosts {
            stands.push(Stand::open(name, *host).await);
        }
        Self {
            against: Side::Server,
            stands,
            next: AtomicU64::new(1),
        }
    }

    #[cfg(feature = "client")]
    fn of_clients(ways: &[dialled::Way]) -> Self {
        let stand = |way: &dialled::Way| Stand {
            name: way.to_string(),
            tested: Tested::Client(*way),
            capabilities: Capabilities::wire("client"),
            ledger: Ledger::default(),
        };
        Self {
            against: Side::Client,
            stands: ways.iter().map(stand).collect(),
            next: AtomicU64::new(1),
        }
    }

    /// Plays a round on every host; what was not as it should be.
    async fn play(&self, round: &Round, patience: Duration) -> Option<String> {
        let expected = Plan::of(round, true).expected;
        let can_play = |stand: &&Stand| {
            let Capabilities {
                unknown_frames,
                compression,
                ..
            } = stand.capabilities;
            !(unknown_frames && round.has_unknown())
                && (compression || round.terms.compression.is_none())
        };
        let stands: Vec<_> = self.stands.iter().filter(can_play).collect();
        let plays = stands.iter().map(async |stand| {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            stand.play(number, round, patience).await
        });
        let transcripts = join_all(plays).await;
        let mut differences = Vec::new();
        for (stand, transcript) in stands.into_iter().zip(&transcripts) {
            let from_plan = expected.difference(transcript, &[REASONS, COMPRESSED]);
            let from_first = || transcripts[0].difference(transcript, &[]);
            if let Some(difference) = from_plan.or_else(from_first) {
                differences.push((stand, transcript, difference));
            }
        }
        if differences.is_empty() {
            return None;
        }
        let said = |(stand, _, difference): &(&Stand, &Transcript, String)| {
            format!("{}: {difference}", stand.name)
        };
        let mut report = differences.iter().map(said).collect::<Vec<_>>().join("\n");
        report += &format!("\n  what has to happen:\n{}", expected);
        for (stand, transcript, _) in &differences {
            report += &format!("  what happened on {}:\n{transcript}", stand.name);
        }
        Some(report)
    }

    fn strays(&self) -> Vec<(&str, Vec<String>)> {
        let strays = self
            .stands
            .iter()
            .map(|stand| (&*stand.name, stand.ledger.strays()));
        strays.filter(|(_, strays)| !strays.is_empty()).collect()
    }
}

impl Stand {
    async fn open(name: &str, host: &dyn Host) -> Self {
        let ledger = Ledger::default();
        Self {
            name: name.to_owned(),
            tested: Tested::Server(host.serve(app::app(&ledger)).await),
            capabilities: host.capabilities(),
            ledger,
        }
    }

    async fn play(&self, number: u64, round: &Round, patience: Duration) -> Transcript {
        let plan = Plan::of(round, self.capabilities.abort);
        let page = self.ledger.open(number, &round.script, round.manner);
        let transcript = match &self.tested {
            Tested::Server(running) => {
                let mut request = Request::upgrade(&format!("{}?{number}", round.terms.path));
                if round.terms.compression.is_some() {
                    request = request.with("Sec-WebSocket-Extensions", "permessage-deflate");
                }
                play::play(&**running, request, &plan, &page, patience).await
            }
            #[cfg(feature = "client")]
            Tested::Client(way) => dialled::play(*way, round, &plan, &page, patience).await,
        };
        self.ledger.close(number);
        transcript
    }
}

/// What is tested.
enum Tested {
    Server(Box<dyn Running>),
    #[cfg(feature = "client")]
    Client(dialled::Way),
}
