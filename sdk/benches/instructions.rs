//! What things cost in instructions, which no other work on the machine changes.
//!
//! `cargo bench -p wharf-sdk --bench instructions`, with valgrind and `gungraun-runner` of the
//! version in `Cargo.lock` installed. `.ci/costs` installs both, runs this and checks the claims
//! that compare one figure with another.

#![allow(missing_docs, reason = "the macros make items without")]

mod parts;

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group, main};
use parts::{
    connection::{
        Connection, Delivery,
        Settings::{self, Bare, Compressible, Everything, Observed},
    },
    events::{
        self,
        Way::{self, ByHand, Channel},
    },
    site::Site,
};

/// Messages of a run, at any number in flight.
const MESSAGES: usize = 640;

fn single(settings: Settings) -> Connection {
    Connection::open(settings, 1)
}

fn burst(settings: Settings) -> Connection {
    Connection::open(settings, 64)
}

#[library_benchmark]
#[bench::bare(args = (Bare), setup = single)]
#[bench::everything(args = (Everything), setup = single)]
#[bench::observed(args = (Observed), setup = single)]
#[bench::compressible(args = (Compressible), setup = single)]
fn echo_one_by_one(mut connection: Connection) -> Connection {
    connection.echo(MESSAGES);
    connection
}

#[library_benchmark]
#[bench::bare(args = (Bare), setup = burst)]
#[bench::everything(args = (Everything), setup = burst)]
#[bench::observed(args = (Observed), setup = burst)]
#[bench::compressible(args = (Compressible), setup = burst)]
fn echo_in_bursts(mut connection: Connection) -> Connection {
    connection.echo(MESSAGES / 64);
    connection
}

#[library_benchmark]
#[bench::bare(args = (Bare), setup = Delivery::open)]
#[bench::everything(args = (Everything), setup = Delivery::open)]
#[bench::observed(args = (Observed), setup = Delivery::open)]
#[bench::compressible(args = (Compressible), setup = Delivery::open)]
fn deliver(mut delivery: Delivery) -> Delivery {
    delivery.deliver(MESSAGES);
    delivery
}

fn event(way: Way) -> Connection {
    events::open(way, 1)
}

fn events_at_once(way: Way) -> Connection {
    events::open(way, 64)
}

#[library_benchmark]
#[bench::channel(args = (Channel), setup = event)]
#[bench::by_hand(args = (ByHand), setup = event)]
fn reply_one_by_one(mut connection: Connection) -> Connection {
    connection.echo(MESSAGES);
    connection
}

#[library_benchmark]
#[bench::channel(args = (Channel), setup = events_at_once)]
#[bench::by_hand(args = (ByHand), setup = events_at_once)]
fn reply_in_bursts(mut connection: Connection) -> Connection {
    connection.echo(MESSAGES / 64);
    connection
}

#[library_benchmark]
#[bench::ten(args = (10), setup = Site::with_routes)]
#[bench::thousand(args = (1_000), setup = Site::with_routes)]
#[bench::ten_thousand(args = (10_000), setup = Site::with_routes)]
fn decide_plain(site: Site) -> Site {
    site.decide(black_box(&["/plain/00004/echo"]));
    site
}

#[library_benchmark]
#[bench::ten(args = (10), setup = Site::with_routes)]
#[bench::thousand(args = (1_000), setup = Site::with_routes)]
#[bench::ten_thousand(args = (10_000), setup = Site::with_routes)]
fn decide_parametrised(site: Site) -> Site {
    site.decide(black_box(&["/rooms/00004/lobby"]));
    site
}

#[library_benchmark]
#[bench::ten(args = (10), setup = Site::with_routes)]
#[bench::thousand(args = (1_000), setup = Site::with_routes)]
#[bench::ten_thousand(args = (10_000), setup = Site::with_routes)]
fn refuse_unknown(site: Site) -> Site {
    site.refuse(black_box("/rooms/00004"));
    site
}

library_benchmark_group!(
    name = sessions,
    benchmarks = [echo_one_by_one, echo_in_bursts, deliver]
);
library_benchmark_group!(
    name = replies,
    benchmarks = [reply_one_by_one, reply_in_bursts]
);
library_benchmark_group!(
    name = requests,
    benchmarks = [decide_plain, decide_parametrised, refuse_unknown]
);
main!(library_benchmark_groups = [sessions, replies, requests]);
