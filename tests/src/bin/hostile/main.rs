//! A hostile client against one server process: `hostile --driver axum|actix|hyper [--attack NAME]
//! [--seconds 10]`.
//!
//! Each attack has a server of its own, which is this program as a child (`hostile serve …`) with a
//! low limit of descriptors. While it runs, an honest client shakes hands and echoes; afterwards the
//! attacker keeps what it still holds, and the server has to get its descriptors back all the same.
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

/// How long the attackers' own end takes at most once they are told to stop.
const WIND_DOWN: Duration = Duration::from_secs(5);

struct Options {
    driver: String,
    attack: Option<String>,
    duration: Duration,
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
    let wanted = |name: &str| options.attack.as_deref().is_none_or(|only| only == name);
    // The attackers' own: a thousand connections, twice over while they are replaced.
    let granted = rlimit::increase_nofile_limit(8_192).unwrap();
    assert!(
        granted >= 4_096,
        "4,096 descriptors are needed, and {granted} granted"
    );
    println!("{}, {:?} an attack", options.driver, options.duration);
    println!("{}", verdict::HEADING);
    let mut passed = true;
    let mut count = 0;
    for attack in attacks::all().iter().filter(|attack| wanted(attack.name)) {
        let verdict = run(&options, attack);
        println!("{verdict}");
        passed &= verdict.passed();
        count += 1;
    }
    if wanted(neighbours::NAME) {
        passed &= neighbours::run(&options.driver, options.duration);
        count += 1;
    }
    if count == 0 {
        eprintln!("no such attack; there are {}", names().join(", "));
        return ExitCode::from(2);
    }
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = attacks::all().iter().map(|attack| attack.name).collect();
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
        duration: Duration::from_secs(
            value("--seconds").map_or(10, |text| text.parse().expect("a number of seconds")),
        ),
    }
}

/// Lives through one attack.
fn run(options: &Options, attack: &Attack) -> Verdict {
    let server = Server::start(&options.driver, 2, attack.descriptors);
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
        still_held,
        released_after,
        growth_kib: watch.peak_kib().saturating_sub(before.resident_kib),
        allowed_kib: attack.growth_kib,
    }
}
