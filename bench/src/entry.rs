//! The servers that are measured, and against which each is compared.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::process::ServerProcess;

/// Stands in a command for the address to listen on.
const ADDR: &str = "{addr}";

/// Where a server is told to listen: the system chooses the port, the server announces it.
const LISTEN: &str = "127.0.0.1:0";

/// Seconds after which a server of this package ends by itself, if nobody has ended it.
const MAX_SECONDS: &str = "120";

/// A server to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in the tables.
    pub name: String,
    /// The program and its arguments; `{addr}` becomes the address to listen on. A program
    /// without a slash is a binary beside this one. It has to print `listening on <addr>` and to
    /// echo on `/echo`.
    pub command: Vec<String>,
    /// The entries that it is divided by, one column of ratios for each.
    #[serde(default)]
    pub baselines: Vec<String>,
    /// Has `/fan`, which sends every text that it gets to every socket on it.
    #[serde(default)]
    pub fan_out: bool,
    /// Is measured in a quick run too.
    #[serde(default = "yes")]
    pub quick: bool,
}

impl Entry {
    /// Starts the server.
    ///
    /// # Errors
    ///
    /// It does not start, or does not announce itself in time.
    pub fn start(&self) -> io::Result<ServerProcess> {
        let args = self
            .command
            .iter()
            .skip(1)
            .map(|arg| arg.replace(ADDR, LISTEN));
        ServerProcess::start(&self.program()?, &args.collect::<Vec<_>>())
    }

    /// The program's file.
    ///
    /// # Errors
    ///
    /// The command is empty, or this program does not know where it is itself.
    pub fn program(&self) -> io::Result<PathBuf> {
        let program = self.command.first();
        let program = program.ok_or_else(|| io::Error::other("an entry without a command"))?;
        if program.contains('/') {
            return Ok(PathBuf::from(program));
        }
        let own = std::env::current_exe()?;
        let folder = own
            .parent()
            .ok_or_else(|| io::Error::other("this program is in no folder"))?;
        Ok(folder.join(program))
    }
}

/// The servers of this package: Wharf, and the hand-written ones.
pub fn built_in() -> Vec<Entry> {
    let mut entries = vec![
        peer("axum", false, &["axum+nodelay"], true),
        peer("axum", true, &[], true),
        wharf("wharf-axum", "echo-axum", &["axum+nodelay", "axum"]),
        peer("actix", false, &["actix+nodelay"], true),
        peer("actix", true, &[], true),
        wharf("wharf-actix", "echo-actix", &["actix+nodelay", "actix"]),
    ];
    // They have no framework of their own to be compared on; axum is the yardstick for the
    // distance that is left.
    for library in ["tokio-tungstenite", "tokio-websockets", "fastwebsockets"] {
        entries.push(peer(library, false, &["axum+nodelay"], false));
        entries.push(peer(library, true, &["axum+nodelay"], true));
    }
    entries
}

/// Reads further entries from a file: a JSON array of objects with the fields of [`Entry`].
///
/// # Errors
///
/// The file cannot be read or is not of that form.
pub fn read_from(file: &Path) -> io::Result<Vec<Entry>> {
    let text = fs::read_to_string(file)?;
    serde_json::from_str(&text)
        .map_err(|error| io::Error::other(format!("{}: {error}", file.display())))
}

fn peer(kind: &str, nodelay: bool, baselines: &[&str], quick: bool) -> Entry {
    let mut command = vec!["peer", kind, ADDR, "--max-seconds", MAX_SECONDS];
    let mut name = kind.to_owned();
    if nodelay {
        command.push("--nodelay");
        name.push_str("+nodelay");
    }
    let fan_out = matches!(kind, "axum" | "actix");
    Entry {
        name,
        command: owned(&command),
        baselines: owned(baselines),
        fan_out,
        quick,
    }
}

fn wharf(name: &str, binary: &str, baselines: &[&str]) -> Entry {
    Entry {
        name: name.to_owned(),
        command: owned(&[binary, ADDR, "--max-seconds", MAX_SECONDS]),
        baselines: owned(baselines),
        fan_out: true,
        quick: true,
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_baseline_is_an_entry() {
        let entries = built_in();
        for baseline in entries.iter().flat_map(|entry| &entry.baselines) {
            assert!(
                entries.iter().any(|entry| entry.name == *baseline),
                "{baseline}"
            );
        }
    }

    #[test]
    fn a_quick_run_has_the_baselines_of_its_entries() {
        let quick: Vec<_> = built_in().into_iter().filter(|entry| entry.quick).collect();
        for baseline in quick.iter().flat_map(|entry| &entry.baselines) {
            assert!(
                quick.iter().any(|entry| entry.name == *baseline),
                "{baseline}"
            );
        }
    }

    #[test]
    fn an_entry_from_a_file_needs_a_name_and_a_command() {
        let entry: Entry =
            serde_json::from_str(r#"{"name": "u", "command": ["/bin/u", "{addr}"]}"#)
                .expect("the rest has defaults");
        assert!(entry.quick && !entry.fan_out && entry.baselines.is_empty());
        assert_eq!(entry.program().expect("absolute"), Path::new("/bin/u"));
        assert!(serde_json::from_str::<Entry>(r#"{"name": "u"}"#).is_err());
    }
}
