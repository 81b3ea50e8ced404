//! Ports for servers that tests start.

use std::{
    net::TcpListener,
    ops::Range,
    process,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Below those that the system gives to whoever connects: a client could take a server's port
/// while the server is down, or meet itself on it. A server of a Redis cluster listens 10,000 ports
/// further up besides, which is out of this range and still below the system's.
const PORTS: Range<usize> = 12_000..22_000;

/// How many ports a process takes before it may meet those of the next one, which is the next test
/// where each runs in a process of its own.
const PORTS_OF_A_PROCESS: usize = 16;

/// A port that nobody listens on, and that nobody else in this process is given.
pub(super) fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicUsize> =
        LazyLock::new(|| AtomicUsize::new(process::id() as usize * PORTS_OF_A_PROCESS));
    (0..PORTS.len())
        .map(|_| PORTS.start + NEXT.fetch_add(1, Ordering::Relaxed) % PORTS.len())
        .map(|port| u16::try_from(port).expect("a port"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
