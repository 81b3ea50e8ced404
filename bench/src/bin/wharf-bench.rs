//! Measures every server of this package, and others, side by side. `--help` says how.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use wharf_bench::certificate::Certificate;
use wharf_bench::entry::{self, Entry};
use wharf_bench::options::{Options, USAGE};
use wharf_bench::report::{absolute_table, comparisons, draw, ratio_table, read_json, write_json};
use wharf_bench::scenario::{self, Scenario};
use wharf_bench::siblings;
use wharf_bench::tournament::Tournament;

fn main() -> io::Result<ExitCode> {
    let options = Options::parse(std::env::args().skip(1))?;
    if options.help {
        print!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(figures) = &options.redraw {
        let measured = read_json(figures)?;
        let pairs = comparisons(&measured.servers, &measured.figures);
        let svg = beside_this_program(options.svg.as_ref(), "wharf-bench.svg")?;
        fs::write(&svg, draw(&measured.figures, &pairs))?;
        println!("picture: {}", svg.display());
        return Ok(ExitCode::SUCCESS);
    }
    let scenarios = chosen_scenarios(&options);
    let entries = chosen_entries(&options)?;
    if options.list {
        scenarios
            .iter()
            .for_each(|scenario| println!("{}", scenario.name));
        entries
            .iter()
            .for_each(|entry| println!("{}: {}", entry.name, entry.command.join(" ")));
        return Ok(ExitCode::SUCCESS);
    }
    if cfg!(debug_assertions) {
        eprintln!("a debug build: use --profile bench-server for figures that mean something");
    }
    if options.build
        && let Err(error) = siblings::build()
    {
        eprintln!("{error}; measuring what is there");
    }
    let entries = present(entries)?;
    measure(&options, scenarios, entries)
}

fn measure(
    options: &Options,
    scenarios: Vec<Scenario>,
    entries: Vec<Entry>,
) -> io::Result<ExitCode> {
    let window = options.window();
    let folder = std::env::temp_dir().join(format!("wharf-bench-{}", std::process::id()));
    let certificate = Certificate::generate(&folder)?;
    let tournament = Tournament {
        entries,
        scenarios,
        turns: options.turns(),
        window,
        patience: Duration::from_secs(options.patience),
        generator_threads: options.generator_threads,
        certificate,
    };
    let measured = tournament.run();
    // What is left is in the system's folder for what may be left.
    let _ = fs::remove_dir_all(&folder);
    let (results, troubles) = measured?;

    let pairs = comparisons(&tournament.entries, &results);
    println!();
    if !pairs.is_empty() {
        println!("{}", ratio_table(&results, &pairs));
    }
    println!("{}", absolute_table(&results, &tournament.entries));
    println!("↓ less is better, ↑ more is; ~ the generator was the limit, not the server");

    let json = beside_this_program(options.json.as_ref(), "wharf-bench.json")?;
    write_json(&json, &tournament, &results, &pairs)?;
    let svg = beside_this_program(options.svg.as_ref(), "wharf-bench.svg")?;
    fs::write(&svg, draw(&results, &pairs))?;
    println!("figures: {}\npicture: {}", json.display(), svg.display());

    if troubles.disturbed > 0 {
        eprintln!(
            "{} runs shared the machine with other work: measure again",
            troubles.disturbed
        );
    }
    if troubles.failed > 0 {
        eprintln!("{} runs failed", troubles.failed);
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen_scenarios(options: &Options) -> Vec<Scenario> {
    // What is named is wanted, whether or not a quick run has it.
    if !options.only.is_empty() {
        let mut scenarios = scenario::full();
        scenarios.extend(scenario::groups());
        scenarios.retain(|scenario| options.only.iter().any(|part| scenario.name.contains(part)));
        return scenarios;
    }
    if !options.groups.is_empty() {
        let mut scenarios = scenario::groups();
        let group = |scenario: &Scenario| scenario.name.split('/').next().map(str::to_owned);
        scenarios.retain(|scenario| {
            group(scenario).is_some_and(|group| options.groups.contains(&group))
        });
        return scenarios;
    }
    if options.quick {
        scenario::quick()
    } else {
        scenario::full()
    }
}

fn chosen_entries(options: &Options) -> io::Result<Vec<Entry>> {
    let mut entries = entry::built_in();
    if let Some(file) = &options.extra {
        entries.extend(entry::read_from(file)?);
    }
    if !options.servers.is_empty() {
        if let Some(unknown) = options
            .servers
            .iter()
            .find(|name| entries.iter().all(|entry| entry.name != **name))
        {
            return Err(io::Error::other(format!("no server is called {unknown}")));
        }
        entries.retain(|entry| options.servers.contains(&entry.name));
    } else if options.quick {
        entries.retain(|entry| entry.quick);
    }
    if let Some(against) = &options.against {
        for entry in &mut entries {
            if entry.name.starts_with("wharf") {
                entry.baselines.push(against.clone());
            }
        }
    }
    Ok(entries)
}

/// Leaves out, and says so, what has not been built.
fn present(entries: Vec<Entry>) -> io::Result<Vec<Entry>> {
    let mut present = Vec::new();
    for entry in entries {
        let program = entry.program()?;
        if program.is_file() {
            present.push(entry);
        } else {
            eprintln!(
                "{} is left out: there is no {}",
                entry.name,
                program.display()
            );
        }
    }
    Ok(present)
}

fn beside_this_program(chosen: Option<&PathBuf>, name: &str) -> io::Result<PathBuf> {
    match chosen {
        Some(path) => Ok(path.clone()),
        None => Ok(std::env::current_exe()?.with_file_name(name)),
    }
}
