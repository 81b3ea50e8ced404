//! What happened in a round, in a form that can be compared.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

use wharf_sdk::Message;

/// Data that came back, in order.
pub(super) const DATA: &str = "data";
/// Pongs that came back, in order. Pongs may overtake data, by how much depends on how the bytes
/// were cut into packets; so the two are compared on their own.
pub(super) const PONGS: &str = "pongs";
/// Pings of the handler's, in order; apart for the same reason.
pub(super) const PINGS: &str = "pings";
/// How the connection ended.
pub(super) const END: &str = "end";
/// What the handler saw.
pub(super) const HANDLER: &str = "handler";
/// What the observers were told.
pub(super) const OBSERVERS: &str = "observers";
/// The reasons of closes, which are for people: they must be equal, but no plan knows them.
pub(super) const REASONS: &str = "reasons";
/// Which data came compressed, where it may: the same everywhere, but no plan knows it.
pub(super) const COMPRESSED: &str = "compressed";
/// What went wrong with the client: nothing, in a round that went as it should.
pub(super) const TROUBLE: &str = "trouble";

/// What happened in a round, in strands: the lines of one are in order, and those of two are not
/// ordered among each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Transcript(BTreeMap<&'static str, Vec<String>>);

impl Transcript {
    pub(super) fn add(&mut self, strand: &'static str, line: impl Into<String>) {
        self.0.entry(strand).or_default().push(line.into());
    }

    pub(super) fn extend(&mut self, strand: &'static str, lines: Vec<String>) {
        self.0.entry(strand).or_default().extend(lines);
    }

    /// Takes in what the other side saw.
    pub(super) fn absorb(&mut self, other: Self) {
        for (strand, lines) in other.0 {
            self.extend(strand, lines);
        }
    }

    pub(super) fn len(&self, strand: &'static str) -> usize {
        self.0.get(strand).map_or(0, Vec::len)
    }

    /// What is different in the other one, if anything is.
    pub(super) fn difference(&self, other: &Self, ignored: &[&str]) -> Option<String> {
        let strands = self.0.keys().chain(other.0.keys());
        for strand in strands.filter(|strand| !ignored.contains(*strand)) {
            let empty = Vec::new();
            let ours = self.0.get(strand).unwrap_or(&empty);
            let theirs = other.0.get(strand).unwrap_or(&empty);
            if ours == theirs {
                continue;
            }
            let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
            let line = |lines: &[String]| {
                let line = lines.get(same);
                line.map_or_else(|| "nothing more".to_owned(), |line| format!("{line:?}"))
            };
            return Some(format!(
                "{strand}, line {}: {} instead of {}",
                same + 1,
                line(theirs),
                line(ours)
            ));
        }
        None
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (strand, lines) in &self.0 {
            writeln!(f, "    {strand}:")?;
            for line in lines {
                writeln!(f, "      {line}")?;
            }
        }
        Ok(())
    }
}

/// A message in a few words that tell it from any other.
pub(super) fn describe(message: &Message) -> String {
    match message {
        Message::Text(text) => describe_payload("text", text.as_bytes()),
        Message::Binary(bytes) => describe_payload("binary", bytes),
        Message::Ping(bytes) => describe_payload("ping", bytes),
        Message::Pong(bytes) => describe_payload("pong", bytes),
        Message::Close(None) => "close without a code".to_owned(),
        Message::Close(Some(frame)) => format!("close {} {:?}", frame.code(), frame.reason()),
        Message::Unknown(frame) => describe_payload("unknown", &frame.payload),
        other => other.kind().to_string(),
    }
}

/// A payload's kind, length and hash.
pub(super) fn describe_payload(kind: &str, payload: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    payload.hash(&mut hasher);
    format!("{kind} {} #{:08x}", payload.len(), hasher.finish() as u32)
}
