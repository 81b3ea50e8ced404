//! The README's table, the list of cases and the sources agree.
//!
//! `WHARF_UPDATE=1 cargo test -p wharf-conformance --test readme` rewrites the table.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use wharf_conformance::{CASES, contract::ROWS};

const BEGIN: &str = "<!-- the table below is generated: see tests/readme.rs -->\n";
const END: &str = "<!-- end of the table -->\n";

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

fn table() -> String {
    let mut table = String::new();
    let mut last = "";
    for row in ROWS {
        if row.table != last {
            last = row.table;
            write!(table, "\n### {last}\n\n| row | cases |\n|---|---|\n").expect("text");
        }
        let cases = CASES.iter().filter(|case| case.row == row.name);
        let cases: Vec<_> = cases
            .map(|case| format!("`{}::{}`", case.section, case.name))
            .collect();
        writeln!(table, "| {} | {} |", row.promise, cases.join(" ")).expect("text");
    }
    table.push('\n');
    table
}
