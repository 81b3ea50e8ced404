//! Thousands of sockets and a while of chaos against one server process, which must be afterwards
//! as it was before: `soak --driver axum|actix|hyper [--sockets 2000] [--seconds 30] [--seed n]`.
//!
//! The server is this program as a child (`soak serve <driver>`), so that its memory and its
//! descriptors are its own. Linux only: they are read from `/proc`.
//!
//! The child counts what its allocator has handed out, so a leak of a few bytes a session shows;
//! resident memory, which the allocator's fragmentation moves too, is held to a wider bound.

#![allow(
    clippy::unwrap_used,
    reason = "what does not hold fails the run; a message is given where it helps"
)]

mod lives;
mod served;
mod server;

use std::{
    alloc::System,
    time::{Duration, Instant},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use tokio::time::timeout;

use self::{lives::Random, server::Server};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A life that is stuck is given up after this long.
const LIFE: Duration = Duration::from_secs(20);

/// How many storms there are at most until one leaves nothing behind: threads, pools, tables and the
/// allocator's arenas take the size that this load needs, on a busy machine by and by. A leak is
/// behind every storm.
const STORMS: usize = 5;

/// What the heap may keep of a storm: tables that grew, and the request that asks.
const KEPT_HEAP_BYTES: usize = 512 * 1024;

/// What the allocator's fragmentation may keep of a storm: it follows how many sockets were busy at
/// once, and not how many sessions there were.
const KEPT_RESIDENT_KIB: u64 = 32 * 1024;

#[derive(Clone)]
struct Options {
    driver: String,
    sockets: usize,
    chaos: Duration,
    seed: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    match &arguments[..] {
        [serve, driver] if serve == "serve" => runtime.block_on(served::run(driver)),
        _ => runtime.block_on(soak(&parse(&arguments))),
    }
}

fn parse(arguments: &[String]) -> Options {
    let value = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(default, |at| arguments[at + 1].parse().expect("a number"))
    };
    let at = arguments.iter().position(|argument| argument == "--driver");
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Options {
        driver: at
            .map(|at| arguments[at + 1].clone())
            .expect("--driver axum, actix or hyper"),
        sockets: usize::try_from(value("--sockets", 2000)).unwrap(),
        chaos: Duration::from_secs(value("--seconds", 30)),
        seed: value("--seed", u64::from(clock.subsec_nanos()) | 1),
    }
}

async fn soak(options: &Options) {
    println!(
        "{}: {} sockets, {:?} of chaos, seed {}",
        options.driver, options.sockets, options.chaos, options.seed
    );
    make_room_for(options.sockets);
    let server = Server::start(&options.driver).await;
    storm(&server, options, options.chaos / 3).await;
    let mut before = server.calm().await;
    println!("before {before:?}");
    for number in 1..=STORMS {
        storm(&server, options, options.chaos).await;
        let after = server.calm().await;
        println!("after  {after:?}");
        assert!(
            after.upgraded > before.upgraded,
            "sessions lived in the storm"
        );
        assert!(
            after.descriptors <= before.descriptors + 4,
            "descriptors are back where they were"
        );
        let is_heap_back = after.heap_bytes <= before.heap_bytes + KEPT_HEAP_BYTES;
        let is_memory_back = after.resident_kib <= before.resident_kib + KEPT_RESIDENT_KIB;
        if is_heap_back && is_memory_back {
            break;
        }
        assert!(
            number < STORMS,
            "each of {STORMS} storms left more behind than {KEPT_HEAP_BYTES} bytes of heap or \
             {KEPT_RESIDENT_KIB} KiB of resident memory"
        );
        before = after;
    }
    // The end comes while everybody is connected.
    let last = tokio::join!(
        storm(&server, options, options.chaos.min(Duration::from_secs(5))),
        server.terminate_after(options.chaos.min(Duration::from_secs(2))),
    );
    println!("{}", last.1);
    println!("1 passed, 0 failed");
}

/// Every socket lives a short life of a random kind, again and again.
async fn storm(server: &Server, options: &Options, duration: Duration) {
    let end = Instant::now() + duration;
    let lives = (0..options.sockets).map(|number| {
        let address = server.address().to_owned();
        let mut random = Random::new(options.seed, number as u64);
        tokio::spawn(async move {
            while Instant::now() < end {
                // A server that is busy refuses or resets some; the ledger must be even all the same.
                if let Ok(Err(_)) | Err(_) = timeout(LIFE, lives::live(&address, &mut random)).await
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        })
    });
    for life in lives.collect::<Vec<_>>() {
        life.await.expect("lives do not panic");
    }
}

/// Each socket is a descriptor here and one in the server, which inherits the limit.
fn make_room_for(sockets: usize) {
    let wanted = sockets as u64 + 200;
    let granted = rlimit::increase_nofile_limit(wanted).unwrap();
    assert!(
        granted >= wanted,
        "{sockets} sockets need {wanted} descriptors and the system grants {granted}: raise the \
         hard limit (`ulimit -Hn`) or ask for fewer with --sockets"
    );
}
