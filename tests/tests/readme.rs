//! The README's table, the list of cases and the sources agree.
//!
//! `WHARF_UPDATE=1 cargo test -p wharf-conformance --test readme` rewrites the table.

#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
use std::fmt::Write;
use std::{collections::BTreeSet, fs, path::Path};

use wharf_conformance::{
    CASES,
    bus::{BUS_CASES, BUS_ROWS},
    contract::ROWS,
};
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
use wharf_sdk::driver::Capabilities;

#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
const BEGIN: &str = "<!-- the table below is generated: see tests/readme.rs -->\n";
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
const END: &str = "<!-- end of the table -->\n";

/// What stands above the hub's tables.
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
const HUB: &str = "## The hub\n\nThe cases run on the hub alone (`bus_local`), the engine in memory \
(`bus_memory`), Redis, a Redis cluster and NATS (`bus_redis`, `bus_redis_cluster`, `bus_nats`). Those \
that need another node have nothing to show on the hub alone, and those that cut one node off none on \
a cluster, whose servers tell clients where they are, past any proxy.\n";

/// The hosts that run all cases here, with what they can do.
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
fn hosts() -> [(&'static str, Capabilities); 6] {
    use wharf_conformance::{
        ActixHost, AxumHost, Host, HyperHost, MemoryHost, NestedAxumHost, ScopedActixHost,
    };
    [
        ("memory", MemoryHost.capabilities()),
        ("axum", AxumHost.capabilities()),
        ("axum, nested", NestedAxumHost.capabilities()),
        ("hyper", HyperHost.capabilities()),
        ("actix", ActixHost.capabilities()),
        ("actix, scoped", ScopedActixHost.capabilities()),
    ]
}

/// Whether a host does what a row promises; one that cannot refuses politely, by the same cases.
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
fn holds(row: &str, capabilities: Capabilities) -> bool {
    match row {
        "native" => capabilities.native,
        "unknown" => capabilities.unknown_frames,
        "connect" | "streams" | "goaway" | "http2-abuse" => capabilities.extended_connect,
        "compression-native" => capabilities.native && capabilities.compression,
        row if row.starts_with("compression") => capabilities.compression,
        _ => true,
    }
}

/// The table has a column for every host, so it is made where all are there.
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
#[test]
fn the_table_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let current = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("WHARF_UPDATE").is_some() {
        fs::write(&path, current).expect("the README is written");
        return;
    }
    assert!(
        readme == current,
        "run it with WHARF_UPDATE=1 to update the table"
    );
}

#[test]
fn every_row_has_a_case_and_every_case_a_row() {
    let rows: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
    let proved: BTreeSet<_> = CASES.iter().map(|case| case.row).collect();
    assert_eq!(rows.len(), ROWS.len(), "two rows have one name");
    assert_eq!(rows, proved);
}

#[test]
fn every_public_function_is_a_listed_case() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases");
    let mut written = BTreeSet::new();
    for file in fs::read_dir(folder).expect("the cases") {
        let path = file.expect("a file").path();
        let section = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let source = fs::read_to_string(&path).expect("a source");
        let functions = source.lines().filter_map(|line| {
            let name = line.strip_prefix("pub async fn ")?;
            Some(name.split('(').next()?.to_owned())
        });
        written.extend(functions.map(|name| format!("{section}::{name}")));
    }
    let listed = CASES
        .iter()
        .map(|case| format!("{}::{}", case.section, case.name));
    assert_eq!(written, listed.collect());
}

/// The functions of a file that begin so.
fn functions(path: &Path, beginning: &str) -> BTreeSet<String> {
    let source = fs::read_to_string(path).expect("a source");
    let functions = source.lines().filter_map(|line| {
        let name = line.trim_start().strip_prefix(beginning)?;
        Some(name.split('(').next()?.to_owned())
    });
    functions.collect()
}

#[test]
fn every_case_of_a_bus_has_a_row_and_is_written() {
    let proved: BTreeSet<_> = BUS_ROWS.iter().flat_map(|row| row.cases).copied().collect();
    assert_eq!(proved, BUS_CASES.iter().copied().collect());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bus/cases");
    for section in ["rooms", "outages", "partitions", "presence", "history"] {
        let written = functions(&folder.join(format!("{section}.rs")), "pub async fn ");
        let prefix = format!("{section}::");
        let listed = BUS_CASES
            .iter()
            .filter_map(|case| case.strip_prefix(&prefix));
        assert_eq!(written, listed.map(str::to_owned).collect(), "{section}");
    }
}

#[test]
fn every_row_of_a_bus_is_proved_by_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for row in BUS_ROWS {
        assert!(
            !row.cases.is_empty() || !row.tests.is_empty(),
            "{}",
            row.promise
        );
        for test in row.tests {
            let (file, name) = test.split_once("::").expect("a file and a name");
            let is_there = ["tests", "../hub/tests", "../hub/src"].iter().any(|place| {
                let path = folder.join(place).join(file);
                path.exists()
                    && ["fn ", "async fn "]
                        .iter()
                        .any(|beginning| functions(&path, beginning).contains(name))
            });
            assert!(is_there, "{test} is nowhere");
        }
    }
}

#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
fn bus_table() -> String {
    let mut table = String::new();
    let mut last = "";
    let list = |names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(" ")
    };
    for row in BUS_ROWS {
        if row.table != last {
            last = row.table;
            write!(
                table,
                "\n### {last}\n\n| row | cases on every bus | tests besides |\n|---|---|---|\n"
            )
            .expect("text");
        }
        let (cases, tests) = (list(row.cases), list(row.tests));
        writeln!(table, "| {} | {cases} | {tests} |", row.promise).expect("text");
    }
    table
}

#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
fn table() -> String {
    let mut table = String::new();
    let mut last = "";
    for row in ROWS {
        if row.table != last {
            last = row.table;
            let names = hosts().map(|(name, _)| name).join(" | ");
            let lines = "---|".repeat(hosts().len());
            write!(
                table,
                "\n### {last}\n\n| row | {names} | cases |\n|---|{lines}---|\n"
            )
            .expect("text");
        }
        let cases = CASES.iter().filter(|case| case.row == row.name);
        let cases: Vec<_> = cases
            .map(|case| format!("`{}::{}`", case.section, case.name))
            .collect();
        let cells = hosts().map(|(_, capabilities)| match holds(row.name, capabilities) {
            true => "yes",
            false => "refused",
        });
        let (cells, cases) = (cells.join(" | "), cases.join(" "));
        writeln!(table, "| {} | {cells} | {cases} |", row.promise).expect("text");
    }
    write!(table, "\n{HUB}{}\n", bus_table()).expect("text");
    table
}
