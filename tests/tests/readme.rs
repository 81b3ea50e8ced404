//! The README's table, the list of cases and the sources agree.
//!
//! `WHARF_UPDATE=1 cargo test -p wharf-conformance --test readme` rewrites the table.

#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
use std::fmt::Write;
use std::{collections::BTreeSet, fs, path::Path};

use wharf_conformance::{CASES, contract::ROWS};
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
use wharf_sdk::driver::Capabilities;

#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
const BEGIN: &str = "<!-- the table below is generated: see tests/readme.rs -->\n";
#[cfg(all(feature = "axum", feature = "actix", feature = "hyper"))]
const END: &str = "<!-- end of the table -->\n";

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
    table.push('\n');
    table
}
