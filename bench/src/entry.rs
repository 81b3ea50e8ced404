//! The servers that are measured, and against which each is compared.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::load::{Offer, Over};
use crate::process::ServerProcess;

/// Stands in a command for the address to listen on.
const ADDR: &str = "{addr}";

/// Stands in a command for the folder with the certificate.
const TLS: &str = "{tls}";

/// Where a server is told to listen: the system chooses the port, the server announces it.
const LISTEN: &str = "127.0.0.1:0";

/// Seconds after which a server of this package ends by itself, if nobody has ended it.
const MAX_SECONDS: &str = "120";

/// What a load asks of a server: a server takes part in the loads whose routes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Every message comes back.
    Echo,
    /// Every text goes to every socket.
    Fan,
    /// Every message of JSON comes back.
    Json,
    /// Every text of JSON goes to every socket.
    JsonFan,
    /// A value is made JSON of, for every socket.
    Values,
    /// An event is replied to.
    Event,
    /// Every message comes back, over TLS.
    Tls,
    /// Every message comes back, to a hundred sockets.
    Hundred,
}

/// A server to measure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in the tables.
    pub name: String,
    /// The program and its arguments; `{addr}` becomes the address to listen on, `{tls}` a folder
    /// with `cert.pem` and `key.pem`. A program without a slash is a binary beside this one. It has
    /// to print `listening on <addr>`.
    pub command: Vec<String>,
    /// The entries that it is divided by, one column of ratios for each.
    #[serde(default)]
    pub baselines: Vec<String>,
    /// Where it has what loads ask for.
    #[serde(default = "echo_only")]
    pub routes: BTreeMap<Role, String>,
    /// What its connections run over.
    #[serde(default)]
    pub over: Over,
    /// The compression that is offered to it.
    #[serde(default)]
    pub offer: Offer,
    /// Is measured in a quick run too.
    #[serde(default = "yes")]
    pub quick: bool,
}

impl Entry {
    /// Starts the server; `tls` is the folder with the certificate.
    ///
    /// # Errors
    ///
    /// It does not start, or does not announce itself in time.
    pub fn start(&self, tls: &Path) -> io::Result<ServerProcess> {
        let fill = |arg: &String| {
            arg.replace(ADDR, LISTEN)
                .replace(TLS, &tls.to_string_lossy())
        };
        let args: Vec<_> = self.command.iter().skip(1).map(fill).collect();
        ServerProcess::start(&self.program()?, &args)
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
    let mut entries = house();
    entries.extend(compressed());
    entries.extend(encrypted());
    entries.extend(with_a_meaning());
    entries
}

/// Echo and fan-out, as the frameworks and libraries do it.
fn house() -> Vec<Entry> {
    let both = [(Role::Echo, "/echo"), (Role::Fan, "/fan")];
    let hub = [(Role::Fan, "/hub")];
    let framework = |name| {
        [
            entry(name, &["peer", name, ADDR], &both).divided_by(&[&nodelay(name)]),
            entry(&nodelay(name), &["peer", name, ADDR, "--nodelay"], &both),
        ]
    };
    let mut entries = Vec::from(framework("axum"));
    entries.push(
        entry("wharf-axum", &["echo-axum", ADDR], &both).divided_by(&["axum+nodelay", "axum"]),
    );
    entries.push(entry("wharf-axum+hub", &["echo-axum", ADDR], &hub).divided_by(&["axum+nodelay"]));
    entries.push(entry("wharf-hyper", &["echo-hyper", ADDR], &both).divided_by(&["axum+nodelay"]));
    let workers = ["echo-hyper", ADDR, "--workers"];
    entries.push(entry("wharf-hyper+workers", &workers, &both).divided_by(&["axum+nodelay"]));
    entries
        .push(entry("wharf-hyper+hub", &["echo-hyper", ADDR], &hub).divided_by(&["axum+nodelay"]));
    entries.extend(framework("actix"));
    entries.push(
        entry("wharf-actix", &["echo-actix", ADDR], &both).divided_by(&["actix+nodelay", "actix"]),
    );
    entries
        .push(entry("wharf-actix+hub", &["echo-actix", ADDR], &hub).divided_by(&["actix+nodelay"]));
    // They have no framework of their own to be compared on; axum is the yardstick for the
    // distance that is left.
    let echo = [(Role::Echo, "/echo")];
    for library in ["tokio-tungstenite", "tokio-websockets", "fastwebsockets"] {
        entries.push(
            entry(library, &["peer", library, ADDR], &echo)
                .divided_by(&["axum+nodelay"])
                .not_quick(),
        );
        entries.push(
            entry(
                &nodelay(library),
                &["peer", library, ADDR, "--nodelay"],
                &echo,
            )
            .divided_by(&["axum+nodelay"]),
        );
    }
    for library in ["yawc", "sockudo-ws"] {
        entries.push(
            entry(
                &nodelay(library),
                &["deflate-peer", library, ADDR, "--nodelay"],
                &echo,
            )
            .divided_by(&["axum+nodelay"]),
        );
    }
    entries
}

/// JSON, plain and compressed.
fn compressed() -> Vec<Entry> {
    let mut entries = Vec::new();
    for (server, command) in [
        ("wharf-hyper", &["echo-hyper", ADDR][..]),
        ("wharf-axum", &["echo-axum", ADDR]),
        ("yawc", &["deflate-peer", "yawc", ADDR, "--nodelay"]),
        (
            "sockudo-ws",
            &["deflate-peer", "sockudo-ws", ADDR, "--nodelay"],
        ),
    ] {
        for (how, path, offer) in [
            ("plain", "/echo", Offer::None),
            ("deflate", "/deflate", Offer::Forget),
            ("takeover", "/takeover", Offer::Takeover),
        ] {
            let mut entry = entry(&format!("{server}/{how}"), command, &[(Role::Json, path)]);
            entry.offer = offer;
            if server.starts_with("wharf") {
                let baselines = ["yawc", "sockudo-ws"].map(|peer| format!("{peer}/{how}"));
                entry.baselines = baselines.into();
            }
            entries.push(entry);
        }
    }
    for (how, offer) in [
        ("deflate-6", Offer::Forget),
        ("takeover-12", Offer::Takeover),
    ] {
        let path = format!("/{how}");
        let routes = [(Role::Json, &*path)];
        let mut entry = entry(
            &format!("wharf-hyper/{how}"),
            &["echo-hyper", ADDR],
            &routes,
        );
        entry.offer = offer;
        entries.push(entry);
    }
    for (how, path, offer, baseline) in [
        ("plain-copies", "/fan-copies", Offer::None, None),
        ("plain-once", "/fan", Offer::None, Some("plain-copies")),
        ("deflate-copies", "/fan-deflate-copies", Offer::Forget, None),
        (
            "deflate-once",
            "/fan-deflate",
            Offer::Forget,
            Some("deflate-copies"),
        ),
        (
            "deflate-6-copies",
            "/fan-deflate-6-copies",
            Offer::Forget,
            None,
        ),
        (
            "deflate-6-once",
            "/fan-deflate-6",
            Offer::Forget,
            Some("deflate-6-copies"),
        ),
    ] {
        let routes = [(Role::JsonFan, path)];
        let mut entry = entry(
            &format!("wharf-hyper/{how}"),
            &["echo-hyper", ADDR],
            &routes,
        );
        entry.offer = offer;
        entry.baselines = baseline
            .map(|how| format!("wharf-hyper/{how}"))
            .into_iter()
            .collect();
        entries.push(entry);
    }
    entries
}

/// TLS and HTTP/2.
fn encrypted() -> Vec<Entry> {
    let over = |name, command: &[&str], routes: &[_], over| Entry {
        over,
        ..entry(name, command, routes)
    };
    let both = [(Role::Tls, "/echo"), (Role::Hundred, "/echo")];
    let own = ["echo-hyper", ADDR, "--tls", TLS, "--http2"];
    let by_hand = ["peer", "axum-server", ADDR, "--tls", TLS, "--nodelay"];
    let by_hand = over("axum-server+tls", &by_hand, &both, Over::Tls);
    let tls = over("wharf-hyper+tls", &own, &both, Over::Tls);
    let http2 = over(
        "wharf-hyper+http2",
        &own,
        &[(Role::Hundred, "/echo")],
        Over::Http2,
    );
    vec![
        by_hand,
        tls.divided_by(&["axum-server+tls"]),
        http2.divided_by(&["wharf-hyper+tls"]),
    ]
}

/// Events with replies, and values.
fn with_a_meaning() -> Vec<Entry> {
    let own = ["echo-hyper", ADDR];
    vec![
        entry("by-hand", &own, &[(Role::Event, "/by-hand")]),
        entry("channel", &own, &[(Role::Event, "/channel")]).divided_by(&["by-hand"]),
        entry("value-each", &own, &[(Role::Values, "/value-each")]),
        entry("value-once", &own, &[(Role::Values, "/value-once")]).divided_by(&["value-each"]),
    ]
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

fn entry(name: &str, command: &[&str], routes: &[(Role, &str)]) -> Entry {
    let command = [command, &["--max-seconds", MAX_SECONDS]].concat();
    Entry {
        name: name.to_owned(),
        command: owned(&command),
        baselines: Vec::new(),
        routes: routes
            .iter()
            .map(|&(role, path)| (role, path.to_owned()))
            .collect(),
        over: Over::Tcp,
        offer: Offer::None,
        quick: true,
    }
}

impl Entry {
    fn divided_by(mut self, baselines: &[&str]) -> Self {
        self.baselines = owned(baselines);
        self
    }

    fn not_quick(mut self) -> Self {
        self.quick = false;
        self
    }
}

fn nodelay(name: &str) -> String {
    format!("{name}+nodelay")
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn echo_only() -> BTreeMap<Role, String> {
    BTreeMap::from([(Role::Echo, "/echo".to_owned())])
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
        assert!(entry.quick && entry.baselines.is_empty());
        assert_eq!(entry.routes, echo_only());
        assert_eq!(entry.program().expect("absolute"), Path::new("/bin/u"));
        let entry: Entry = serde_json::from_str(
            r#"{"name": "u", "command": ["u"], "routes": {"fan": "/f", "json-fan": "/j"}}"#,
        )
        .expect("roles have names");
        assert_eq!(
            entry.routes.get(&Role::JsonFan).map(String::as_str),
            Some("/j")
        );
        assert!(serde_json::from_str::<Entry>(r#"{"name": "u"}"#).is_err());
    }
}
