//! Plays random rounds on every host of this package, and then on the client:
//! `differential [--rounds 1000] [--seed n]`.
//!
//! The seed is printed, and so is the one of a round that fails.

use std::process::ExitCode;

use wharf_conformance::{Host, differential::Differential};

#[tokio::main]
async fn main() -> ExitCode {
    let rounds = match parse(std::env::args().skip(1)) {
        Ok(rounds) => rounds.talkative(),
        Err(wrong) => {
            eprintln!("{wrong}; usage: differential [--rounds 1000] [--seed n]");
            return ExitCode::from(2);
        }
    };
    println!("from seed {}", rounds.first_seed());
    let hosts: &[(&str, &dyn Host)] = &[
        #[cfg(feature = "axum")]
        ("axum", &wharf_conformance::AxumHost),
        #[cfg(feature = "axum")]
        ("axum, nested", &wharf_conformance::NestedAxumHost),
        #[cfg(feature = "hyper")]
        ("hyper", &wharf_conformance::HyperHost),
        #[cfg(feature = "actix")]
        ("actix", &wharf_conformance::ActixHost),
        #[cfg(feature = "actix")]
        ("actix, scoped", &wharf_conformance::ScopedActixHost),
    ];
    if let Err(difference) = rounds.run(hosts).await {
        eprintln!("{difference}");
        return ExitCode::FAILURE;
    }
    println!("all rounds went the same on {} hosts", hosts.len() + 1);
    #[cfg(feature = "client")]
    {
        if let Err(difference) = rounds.run_client().await {
            eprintln!("{difference}");
            return ExitCode::FAILURE;
        }
        println!("and so did those with the client");
    }
    ExitCode::SUCCESS
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Differential, String> {
    let mut rounds = Differential::new();
    while let Some(name) = arguments.next() {
        let value = arguments.next().and_then(|value| value.parse().ok());
        rounds = match (name.as_str(), value) {
            ("--rounds", Some(count)) => rounds.rounds(count),
            ("--seed", Some(seed)) => rounds.seed(seed),
            _ => return Err(format!("{name} is no option with a number")),
        };
    }
    Ok(rounds)
}
