//! A hostile client against one server process: `hostile --driver axum|actix|hyper [--attack NAME]
//! [--seconds 10] [--gate]`.
//!
//! Each attack has a server of its own, which is this program as a child (`hostile serve …`) with a
//! low limit of descriptors. While it runs, an honest client shakes hands and echoes; afterwards the
//! attacker keeps what it still holds, and the server has to get its descriptors back all the same.
//!
//! `--gate` is for machines that have other things to do. Attacks whose peers mostly wait go on at
//! the same time, and honest clients only have to be served. Beside the others an echo may take three
//! times as long as beside as busy a crowd that does nothing wrong, or as to let in a house full of
//! those who come a few at a time; and a handshake three times as long as to let in all of them; if
//! that is more than what they may take otherwise. All else is held to as ever.
//! Linux only: what a process holds is read from `/proc`.

#![allow(
    clippy::unwrap_used,
    reason = "what does not hold fails the run; a message is given where it helps"
)]

mod attacks;
mod honest;
mod keep;
mod neighbours;
mod served;
mod server;
mod verdict;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use self::{attacks::Attack, honest::Honest, keep::Target, server::Server, verdict::Verdict};

/// How much longer than beside an honest crowd an echo may take in the gate, and a handshake than
/// that of an honest crowd.
const SLOWER_AT_MOST: u32 = 3;

/// Threads of a server.
const WORKERS: usize = 2;

/// How long the attackers' own end takes at most once they are told to stop.
const WIND_DOWN: Duration = Duration::from_secs(5);

/// What honest clients may wait.
#[derive(Clone, Copy)]
struct Limits {
    handshake: Duration,
    echo: Duration,
}

struct Options {
    driver: String,
    attack: Option<String>,
    duration: Duration,
    is_gate: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, driver, workers, descriptors] = &arguments[..]
        && serve == "serve"
    {
        served::run(
            driver,
            workers.parse().unwrap(),
            descriptors.parse().unwrap(),
        );
        return ExitCode::SUCCESS;
    }
    let options = parse(&arguments);
    // The attackers' own: a thousand connections, twice over while they are replaced.
    let granted = rlimit::increase_nofile_limit(8_192).unwrap();
    assert!(
        granted >= 4_096,
        "4,096 descriptors are needed, and {granted} granted"
    );
    println!("{}, {:?} an attack", options.driver, options.duration);
    println!("{}", verdict::HEADING);
    match attack(&options) {
        None => {
            eprintln!("no such attack; there are {}", names().join(", "));
            ExitCode::from(2)
        }
        Some(true) => ExitCode::SUCCESS,
        Some(false) => ExitCode::FAILURE,
    }
}

/// Whether the server stood all that was wanted; `None` if that is nothing.
fn attack(options: &Options) -> Option<bool> {
    let wanted = |name: &str| options.attack.as_deref().is_none_or(|only| only == name);
    let chosen = |mut attacks: Vec<Attack>| {
        attacks.retain(|attack| wanted(attack.name));
        attacks
    };
    let (waiting, busy) = (chosen(attacks::waiting()), chosen(attacks::busy()));
    let crowd = chosen(vec![attacks::honest_crowd()]);
    let compares = wanted(neighbours::NAME);
    if waiting.is_empty() && busy.is_empty() && crowd.is_empty() && !compares {
        return None;
    }
    let mut passed = true;
    let mut limits = Limits {
        handshake: verdict::HANDSHAKE,
        echo: verdict::ECHO,
    };
    let mut told = |verdict: Verdict| {
        println!("{verdict}");
        passed &= verdict.passed();
    };
    if options.is_gate {
        let orderly = orderly_crowd(&options.driver);
        println!("an orderly crowd is let in within {orderly:.1?}");
        limits.handshake = limits.handshake.max(orderly * SLOWER_AT_MOST);
        // An echo may come behind as many handshakes as the server has descriptors.
        let full_house = orderly.mul_f64(attacks::FEW as f64 / attacks::CROWD as f64);
        limits.echo = limits.echo.max(full_house * SLOWER_AT_MOST);
        let unlimited = Limits {
            echo: Duration::MAX,
            ..limits
        };
        let verdict = run(options, &attacks::honest_crowd(), unlimited);
        limits.echo = limits.echo.max(verdict.echo_p99() * SLOWER_AT_MOST);
        told(verdict);
        // They disturb each other: what is left to ask is that everybody is served.
        let served = Limits {
            echo: limits.handshake,
            ..limits
        };
        run_together(options, &waiting, served)
            .into_iter()
            .for_each(&mut told);
    } else {
        for attack in crowd.iter().chain(&waiting) {
            told(run(options, attack, limits));
        }
    }
    for attack in &busy {
        told(run(options, attack, limits));
    }
    if compares {
        passed &= neighbours::run(&options.driver, options.duration);
    }
    Some(passed)
}

fn names() -> Vec<&'static str> {
    let all = [
        attacks::waiting(),
        attacks::busy(),
        vec![attacks::honest_crowd()],
    ];
    let mut names: Vec<_> = all.iter().flatten().map(|attack| attack.name).collect();
    names.push(neighbours::NAME);
    names
}

fn parse(arguments: &[String]) -> Options {
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(at + 1).expect("a value").clone())
    };
    Options {
        driver: value("--driver").expect("--driver and one of the drivers in this build"),
        attack: value("--attack"),
        is_gate: arguments.iter().any(|argument| argument == "--gate"),
        duration: Duration::from_secs(
            value("--seconds").map_or(10, |text| text.parse().expect("a number of seconds")),
        ),
    }
}

/// How long a server takes to let in as many as come at once in an attack, a few at a time.
fn orderly_crowd(driver: &str) -> Duration {
    let server = Server::start(driver, WORKERS, attacks::FEW);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(attacks::orderly_crowd(server.address()))
}

/// Lives through attacks that go on at the same time, on a server each.
fn run_together(options: &Options, attacks: &[Attack], limits: Limits) -> Vec<Verdict> {
    std::thread::scope(|scope| {
        let running: Vec<_> = attacks
            .iter()
            .map(|attack| scope.spawn(move || run(options, attack, limits)))
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    })
}

/// Lives through one attack.
fn run(options: &Options, attack: &Attack, limits: Limits) -> Verdict {
    let server = Server::start(&options.driver, WORKERS, attack.descriptors);
    let honest = Honest::start(server.address());
    honest.warm_up();
    let before = server.usage();
    let target = Target {
        address: server.address(),
        until: Instant::now() + options.duration,
    };
    let watch = server.watch_memory();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let held = runtime.block_on(async {
        tokio::time::timeout(options.duration + WIND_DOWN, (attack.run)(target)).await
    });
    let held = held.expect("attackers that end when they are told to");
    let seen = honest.stop();
    let released_after = server.released_after(before.descriptors);
    let still_held = held.len();
    drop((held, runtime));
    Verdict {
        attack: attack.name,
        honest: seen,
        limits,
        still_held,
        released_after,
        growth_kib: watch.peak_kib().saturating_sub(before.resident_kib),
        allowed_kib: attack.growth_kib,
    }
}
