//! Measures clients side by side: `clients [--turns <n>] [--server <program>]`.
//!
//! Every client is a process of its own (`dial`), and all talk to one server, `echo-hyper` unless
//! another is named that prints `listening on <addr>` and echoes on `/echo`. What is read is the
//! client's own processor time and memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use wharf_bench::process::ServerProcess;
use wharf_bench::siblings;

/// Wharf's first: the others are what they are compared with.
const KINDS: [&str; 5] = [
    "wharf",
    "wharf-socket",
    "tokio-tungstenite",
    "tokio-websockets",
    "fastwebsockets",
];

/// What is read, by name: links, messages in flight, and the field of what `dial` prints.
const LOADS: [(&str, &str, &str, &str); 4] = [
    (
        "CPU per message, 64 links, 1 in flight, µs",
        "64",
        "1",
        "cpu_micros",
    ),
    (
        "CPU per message, 64 links, 64 in flight, µs",
        "64",
        "64",
        "cpu_micros",
    ),
    (
        "CPU per message, 1,000 links, 1 in flight, µs",
        "1000",
        "1",
        "cpu_micros",
    ),
    (
        "memory per idle link of 1,000, bytes",
        "1000",
        "0",
        "bytes_per_link",
    ),
];

/// Seconds of a run.
const SECONDS: &str = "0.8";

/// How often the link comes back.
const RECONNECTS: &str = "10000";

fn main() -> io::Result<()> {
    let (mut turns, mut server) = (3, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let value = args
            .next()
            .ok_or_else(|| io::Error::other("a value is missing"))?;
        match arg.as_str() {
            "--turns" => turns = value.parse().map_err(io::Error::other)?,
            "--server" => server = Some(PathBuf::from(value)),
            _ => return Err(io::Error::other(format!("unknown option {arg}"))),
        }
    }
    siblings::build()?;
    let server = match server {
        Some(program) => ServerProcess::start(&program, &["127.0.0.1:0".to_owned()])?,
        None => start_own()?,
    };
    let url = format!("ws://{}/echo", server.addr());

    println!(
        "{:<48} {}",
        "median of the turns",
        KINDS.map(|kind| format!("{kind:>18}")).concat()
    );
    for (name, links, in_flight, field) in LOADS {
        let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for _ in 0..turns {
            for kind in KINDS {
                let found = dial(&[kind, &url, links, in_flight, SECONDS])?;
                let figure = found[field].as_f64();
                let figure = figure.ok_or_else(|| io::Error::other(format!("{kind}: {found}")))?;
                figures.entry(kind).or_default().push(figure);
            }
        }
        let medians = KINDS.map(|kind| median(&figures[kind]));
        println!(
            "{name:<48} {}",
            medians.map(|figure| format!("{figure:>18.2}")).concat()
        );
        let best = medians[2..].iter().copied().fold(f64::INFINITY, f64::min);
        let ratios = medians
            .map(|figure| format!("{:>18.2}", figure / best))
            .concat();
        println!("{:<48} {ratios}", "  ÷ the best of the others");
    }
    drop(server);

    let server = start_own()?;
    let url = format!("ws://{}/farewell", server.addr());
    println!("{}", dial(&["reconnect", &url, RECONNECTS])?);
    Ok(())
}

fn start_own() -> io::Result<ServerProcess> {
    ServerProcess::start(&beside("echo-hyper")?, &["127.0.0.1:0".to_owned()])
}

/// Runs a client to its end; returns what it found.
fn dial(args: &[&str]) -> io::Result<Value> {
    let output = Command::new(beside("dial")?)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!(
            "dial {}: {}",
            args.join(" "),
            output.status
        )));
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn beside(program: &str) -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(Path::new("."));
    Ok(folder.join(program))
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
