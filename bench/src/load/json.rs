//! Messages of JSON, each with other figures, plain or compressed, there and back.

use std::fmt::Write as _;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::sleep;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush, Inflate, InflateFlush};

use super::answer::{FrameCounter, read_frame};
use super::frame::masked;
use super::offer::{Agreed, Offer};
use super::wire::Wire;
use super::{Sample, Target, Window};
use crate::histogram::Histogram;
use crate::machine::Meter;

/// A cycle of messages is at least this long, four times the largest window, so that no message
/// finds itself in what it may refer to.
const CYCLE_BYTES: usize = 128 << 10;

/// Messages of a cycle come in multiples of this, so that a round never runs over its end.
const CYCLE_STEP: usize = 64;

/// What a compressed message leaves out of its end (RFC 7692, section 7.2.1).
const FLUSH_END: [u8; 4] = [0, 0, 0xFF, 0xFF];

/// First bytes of a text frame: plain, and compressed.
const PLAIN: u8 = 0x81;
const COMPRESSED: u8 = 0xC1;

/// Level of the generator's own compressor.
const LEVEL: i32 = 6;

/// Messages of a connection that are read to the letter before anything is measured. In multiples of
/// a round, as a cycle is.
const CHECKED: usize = 16;

/// Read at most this much at once.
const READ_BYTES: usize = 64 << 10;

/// Echoes of JSON.
#[derive(Clone, Copy, Debug)]
pub struct JsonLoad {
    /// Connections open at once.
    pub connections: usize,
    /// Messages that leave together on each; the next when all are back.
    pub in_flight: usize,
    /// Size of each.
    pub payload_bytes: usize,
}

impl JsonLoad {
    /// Loads the target for a while. Returns, besides, the bytes in which a message came back.
    ///
    /// # Errors
    ///
    /// A connection fails, or something else comes back than was sent.
    pub async fn run(&self, target: &Target, window: Window) -> io::Result<(Sample, f64)> {
        let tally = Arc::new(Tally::default());
        let mut clients = JoinSet::new();
        let mut feed = None;
        for _ in 0..self.connections {
            let mut opened = target.door.connect().await?;
            let feed = feed.get_or_insert_with(|| {
                Arc::new(Feed::new(
                    self.payload_bytes,
                    target.door.offer(),
                    opened.deflate,
                ))
            });
            let next = feed.say(&mut opened.wire, CHECKED).await?;
            let client = Client {
                wire: opened.wire,
                feed: Arc::clone(feed),
                next,
                in_flight: self.in_flight,
                tally: Arc::clone(&tally),
            };
            clients.spawn(client.run());
        }
        // A client ends only by failing, and then the run has failed.
        tokio::select! {
            measured = measure(target.pid, window, &tally) => measured,
            Some(ended) = clients.join_next() => Err(ended.unwrap_or_else(io::Error::other)),
        }
    }
}

async fn measure(pid: u32, window: Window, tally: &Tally) -> io::Result<(Sample, f64)> {
    sleep(window.warm_up).await;
    let read = || {
        let messages = tally.messages.load(Ordering::Relaxed);
        (messages, tally.bytes.load(Ordering::Relaxed))
    };
    let before = read();
    let meter = Meter::begin(pid)?;
    tally.recording.store(true, Ordering::Relaxed);
    sleep(window.measured).await;
    tally.recording.store(false, Ordering::Relaxed);
    let usage = meter.end()?;
    let after = read();
    let latency = tally
        .latency
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    // Counts of one run are far below 2^52, where f64 is still exact.
    #[allow(clippy::cast_precision_loss)]
    let (operations, bytes) = ((after.0 - before.0) as f64, (after.1 - before.1) as f64);
    let sample = Sample {
        operations,
        usage,
        latency,
    };
    Ok((sample, bytes / operations))
}

/// What all clients of a run add to.
#[derive(Default)]
struct Tally {
    recording: AtomicBool,
    messages: AtomicU64,
    bytes: AtomicU64,
    latency: Mutex<Histogram>,
}

struct Client {
    wire: Wire,
    feed: Arc<Feed>,
    /// The message that is next.
    next: usize,
    in_flight: usize,
    tally: Arc<Tally>,
}

impl Client {
    /// Runs until the connection fails.
    async fn run(self) -> io::Error {
        let Self {
            wire,
            feed,
            mut next,
            in_flight,
            tally,
        } = self;
        let (mut reader, mut writer) = tokio::io::split(wire);
        let mut space = vec![0; READ_BYTES];
        let mut counter = FrameCounter::default();
        loop {
            let departed = Instant::now();
            let write = async {
                writer.write_all(feed.frames(next, in_flight)).await?;
                writer.flush().await
            };
            let read = async {
                let (mut frames, mut bytes) = (0, 0);
                while frames < in_flight {
                    match reader.read(&mut space).await? {
                        0 => return Err(io::Error::other("the server closed a connection")),
                        read => {
                            frames += counter.count(&space[..read]);
                            bytes += read as u64;
                        }
                    }
                }
                Ok(bytes)
            };
            let bytes = match tokio::try_join!(write, read) {
                Ok(((), bytes)) => bytes,
                Err(error) => return error,
            };
            next = feed.behind(next + in_flight);
            tally.bytes.fetch_add(bytes, Ordering::Relaxed);
            tally
                .messages
                .fetch_add(in_flight as u64, Ordering::Relaxed);
            if tally.recording.load(Ordering::Relaxed) {
                let latency = &tally.latency;
                let mut latency = latency.lock().unwrap_or_else(PoisonError::into_inner);
                latency.record(departed.elapsed(), in_flight as u64);
            }
        }
    }
}

/// What a connection says: a cycle, and the same again for ever. With context takeover the second
/// cycle is encoded otherwise than the first, since it refers to it; from then on, what may be
/// referred to is always the same.
#[derive(Debug)]
pub struct Feed {
    texts: Vec<String>,
    wire: Vec<u8>,
    /// Where each message of both cycles lies.
    places: Vec<Range<usize>>,
}

impl Feed {
    /// Messages of this size, compressed as agreed.
    pub fn new(payload_bytes: usize, offer: Offer, agreed: Option<Agreed>) -> Self {
        let messages = (CYCLE_BYTES / payload_bytes)
            .next_multiple_of(CYCLE_STEP)
            .max(CYCLE_STEP);
        let texts: Vec<_> = (0..messages).map(|n| message(payload_bytes, n)).collect();
        let mut deflate = agreed.map(|agreed| {
            Deflate::new_with_config(DeflateConfig {
                level: LEVEL,
                // Negative means without a header.
                window_bits: -i32::from(agreed.client_window_bits.max(9)),
                ..DeflateConfig::default()
            })
        });
        let mut wire = Vec::new();
        let mut places = Vec::new();
        for text in texts.iter().chain(&texts) {
            let frame = match &mut deflate {
                Some(deflate) => {
                    if offer == Offer::Forget {
                        deflate.reset();
                    }
                    masked(COMPRESSED, &compress(deflate, text.as_bytes()))
                }
                None => masked(PLAIN, text.as_bytes()),
            };
            places.push(wire.len()..wire.len() + frame.len());
            wire.extend(frame);
        }
        Self {
            texts,
            wire,
            places,
        }
    }

    /// This many messages in the form in which they leave, from one on.
    fn frames(&self, from: usize, messages: usize) -> &[u8] {
        let (first, last) = (&self.places[from], &self.places[from + messages - 1]);
        &self.wire[first.start..last.end]
    }

    /// Which message follows: behind the second cycle comes the second again.
    fn behind(&self, next: usize) -> usize {
        if next == self.places.len() {
            self.texts.len()
        } else {
            next
        }
    }

    /// Says the first messages, one by one, and reads each answer to the letter. Returns which
    /// message is next.
    ///
    /// # Errors
    ///
    /// An answer is not the message.
    pub async fn say(&self, wire: &mut Wire, messages: usize) -> io::Result<usize> {
        let mut inflate = Inflate::new(false, 15);
        for (n, text) in self.texts.iter().take(messages).enumerate() {
            wire.write_all(self.frames(n, 1)).await?;
            wire.flush().await?;
            let answer = read_frame(wire).await?;
            let plain = match answer.is_compressed() {
                true => decompress(&mut inflate, answer.payload(), text.len())?,
                false => answer.payload().to_vec(),
            };
            if plain != text.as_bytes() {
                return Err(io::Error::other("the server's answer is not an echo"));
            }
        }
        Ok(messages)
    }
}

fn compress(deflate: &mut Deflate, text: &[u8]) -> Vec<u8> {
    let mut compressed = vec![0; text.len() + text.len() / 8 + 1024];
    let before = deflate.total_out();
    let done = deflate.compress(text, &mut compressed, DeflateFlush::SyncFlush);
    done.expect("there is room for it");
    let bytes = usize::try_from(deflate.total_out() - before).expect("it fits");
    compressed.truncate(bytes);
    assert!(compressed.ends_with(&FLUSH_END), "a flush ends so");
    compressed.truncate(bytes - FLUSH_END.len());
    compressed
}

fn decompress(inflate: &mut Inflate, payload: &[u8], most: usize) -> io::Result<Vec<u8>> {
    let compressed = [payload, &FLUSH_END].concat();
    let mut plain = vec![0; most + 1];
    let before = inflate.total_out();
    inflate
        .decompress(&compressed, &mut plain, InflateFlush::SyncFlush)
        .map_err(|error| io::Error::other(format!("does not inflate: {error:?}")))?;
    let bytes = usize::try_from(inflate.total_out() - before).map_err(io::Error::other)?;
    plain.truncate(bytes);
    Ok(plain)
}

/// Rows of a price feed, `bytes` long; each `n` with other figures.
pub fn message(bytes: usize, n: usize) -> String {
    let mut seed = n as u64 + 1;
    let mut below = |end: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % end
    };
    let mut text = String::from("{\"channel\":\"prices\",\"rows\":[");
    let mut id = n * 1000;
    while text.len() < bytes - 2 {
        let (symbol, price, cents) = (below(37), below(1000), below(100));
        let (volume, side) = (below(100_000), ["buy", "sell"][usize::from(below(2) == 1)]);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{{\"id\":{id},\"symbol\":\"ACME{symbol}\",\"price\":{price}.{cents:02},\
             \"volume\":{volume},\"side\":\"{side}\"}},"
        );
        id += 1;
    }
    text.truncate(bytes - 2);
    text + "]}"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmask(frame: &[u8]) -> Vec<u8> {
        let header = match frame[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let (mask, payload) = frame[header..].split_at(4);
        let keys = mask.iter().cycle();
        payload.iter().zip(keys).map(|(a, b)| a ^ b).collect()
    }

    #[test]
    fn the_second_cycle_can_be_said_again_and_again() {
        for (offer, client_window_bits) in [
            (Offer::Forget, 15),
            (Offer::Takeover, 15),
            (Offer::Takeover, 12),
        ] {
            let feed = Feed::new(300, offer, Some(Agreed { client_window_bits }));
            let mut inflate = Inflate::new(false, 15);
            let mut at = 0;
            for n in 0..feed.texts.len() * 4 {
                if offer == Offer::Forget {
                    inflate.reset(false);
                }
                let payload = unmask(feed.frames(at, 1));
                let text = &feed.texts[n % feed.texts.len()];
                let plain = decompress(&mut inflate, &payload, text.len()).expect("inflates");
                assert_eq!(plain, text.as_bytes());
                at = feed.behind(at + 1);
            }
        }
    }

    #[test]
    fn messages_have_their_size_and_differ() {
        for bytes in [300, 2048, 20 << 10] {
            assert_eq!(message(bytes, 0).len(), bytes);
            assert_ne!(message(bytes, 0), message(bytes, 1));
        }
    }
}
