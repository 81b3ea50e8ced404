//! What is measured: loads with a name, and what is read off each.

use std::io;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::entry::Role;
use crate::load::{
    Before, Content, EchoLoad, FanOutContent, FanOutLoad, HandshakeLoad, IdleLoad, JsonLoad, Kind,
    Pacing, Sample, Target, Window,
};
use crate::machine::Machine;

/// Connections of every echo load.
const CONNECTIONS: usize = 64;

/// Idle connections whose memory is measured.
const IDLE_CONNECTIONS: usize = 2000;

/// Handshakes under way at once.
const HANDSHAKE_CONCURRENCY: usize = 32;

/// Sockets that a fan-out reaches.
const FAN_OUT_RECEIVERS: usize = 1000;

/// Messages of JSON that a connection said before its memory is read: enough to fill windows.
const JSON_BEFORE: usize = 32;

/// Sockets of the loads that one HTTP/2 connection can carry too.
const HUNDRED: usize = 100;

/// A generator whose threads are busier than this share of the time is at its limit.
const GENERATOR_LIMIT: f64 = 0.95;

/// Processors left idle, from which on a server cannot be said to have filled the machine.
const IDLE_PROCESSORS: f64 = 0.15;

/// The metric that says how busy other work kept the machine.
const ELSEWHERE: &str = "elsewhere busy";

/// From this many processors on, other work has disturbed a run. The kernel's own share of a load
/// that it does not book on a process stays below.
const DISTURBANCE: f64 = 0.35;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
    /// Neither: said for judging the run, not the server.
    Neither,
}

/// One figure of one run.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// What it is.
    pub metric: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Which way is better.
    pub better: Better,
    /// The figure; `None` where the run was too short to have one.
    pub value: Option<f64>,
    /// The generator was the bottleneck, so a throughput or a latency is the generator's.
    pub generator_bound: bool,
}

/// Whether other work on the machine took part in a run, so that it is worth repeating.
pub fn is_disturbed(measurements: &[Measurement]) -> bool {
    measurements
        .iter()
        .filter(|measurement| measurement.metric == ELSEWHERE)
        .any(|measurement| measurement.value.is_some_and(|busy| busy > DISTURBANCE))
}

/// A load with a name.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name, with slashes: `echo/text/64B/x16`.
    pub name: String,
    /// What it asks of a server.
    pub role: Role,
    /// What is done.
    pub load: Load,
}

/// What a scenario does.
#[derive(Clone, Copy, Debug)]
pub enum Load {
    /// Messages there and back.
    Echo(EchoLoad),
    /// Messages of JSON there and back.
    Json(JsonLoad),
    /// Memory of idle connections.
    Idle(IdleLoad),
    /// Connections opened.
    Handshakes(HandshakeLoad),
    /// One message to many.
    FanOut(FanOutLoad),
}

impl Scenario {
    /// Loads a server once.
    ///
    /// # Errors
    ///
    /// The server fails under the load.
    pub async fn run(&self, target: &Target, window: Window) -> io::Result<Vec<Measurement>> {
        let message = ["CPU per message", "messages"];
        Ok(match self.load {
            Load::Idle(load) => vec![memory(load.run(target).await?)],
            Load::Echo(load) => read_off(&load.run(target, window).await?, window, message),
            Load::Json(load) => {
                let (sample, bytes) = load.run(target, window).await?;
                let mut figures = read_off(&sample, window, message);
                figures.insert(1, wire_bytes(bytes));
                figures
            }
            Load::Handshakes(load) => read_off(
                &load.run(target, window).await?,
                window,
                ["CPU per handshake", "handshakes"],
            ),
            Load::FanOut(load) => read_off(
                &load.run(target, window).await?,
                window,
                ["CPU per delivery", "deliveries"],
            ),
        })
    }
}

/// The loads of a quick run: what the claims are made of.
pub fn quick() -> Vec<Scenario> {
    let mut scenarios: Vec<_> = [1, 16, 64]
        .map(|in_flight| echo(in_flight, 64, Kind::Text, Pacing::Rounds))
        .into_iter()
        .collect();
    scenarios.push(echo(1, 64 << 10, Kind::Binary, Pacing::Rounds));
    scenarios.extend([
        idle(Role::Echo, Before::Nothing, IDLE_CONNECTIONS),
        handshakes(Role::Echo),
        fan_out(0),
        fan_out(10),
    ]);
    scenarios
}

/// Every load of the house.
pub fn full() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for kind in [Kind::Text, Kind::Binary] {
        for payload_bytes in [16, 64, 1 << 10, 16 << 10, 64 << 10, 1 << 20] {
            for in_flight in [1, 16, 64] {
                scenarios.push(echo(in_flight, payload_bytes, kind, Pacing::Rounds));
            }
        }
    }
    scenarios.push(echo(64, 64, Kind::Text, Pacing::Sliding));
    scenarios.extend([
        idle(Role::Echo, Before::Nothing, IDLE_CONNECTIONS),
        idle(Role::Echo, Before::OneMessage(16 << 10), IDLE_CONNECTIONS),
        handshakes(Role::Echo),
        fan_out(0),
        fan_out(10),
    ]);
    scenarios
}

/// The other loads, by group: compression, TLS, HTTP/2, and messages with a meaning.
pub fn groups() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (name, payload_bytes) in [("0.3KiB", 307), ("2KiB", 2 << 10), ("20KiB", 20 << 10)] {
        scenarios.push(Scenario {
            name: format!("deflate/{name}"),
            role: Role::Json,
            load: Load::Json(JsonLoad {
                connections: CONNECTIONS,
                in_flight: 4,
                payload_bytes,
            }),
        });
    }
    scenarios.push(idle(
        Role::Json,
        Before::Json(JSON_BEFORE, 2 << 10),
        IDLE_CONNECTIONS / 4,
    ));
    scenarios.push(one_to_all(
        "deflate/fan-out",
        Role::JsonFan,
        FanOutContent::Json(2 << 10),
    ));
    for in_flight in [1, 64] {
        let letters = Content::Bytes(Kind::Text, 64);
        scenarios.push(exchange(
            "tls/echo",
            Role::Tls,
            letters,
            CONNECTIONS,
            in_flight,
        ));
    }
    scenarios.push(idle(Role::Tls, Before::Nothing, IDLE_CONNECTIONS));
    scenarios.push(handshakes(Role::Tls));
    for in_flight in [1, 16] {
        let letters = Content::Bytes(Kind::Text, 64);
        scenarios.push(exchange(
            "http2/echo",
            Role::Hundred,
            letters,
            HUNDRED,
            in_flight,
        ));
    }
    scenarios.push(idle(Role::Hundred, Before::Nothing, HUNDRED));
    for in_flight in [1, 16, 64] {
        scenarios.push(exchange(
            "messages/event",
            Role::Event,
            Content::Event,
            CONNECTIONS,
            in_flight,
        ));
    }
    scenarios.push(one_to_all(
        "messages/value",
        Role::Values,
        FanOutContent::Letters(64),
    ));
    scenarios
}

fn echo(in_flight: usize, payload_bytes: usize, kind: Kind, pacing: Pacing) -> Scenario {
    let pace = match pacing {
        Pacing::Rounds => "",
        Pacing::Sliding => "/sliding",
    };
    Scenario {
        name: format!(
            "echo/{}/{}/x{in_flight}{pace}",
            kind.name(),
            size(payload_bytes)
        ),
        role: Role::Echo,
        load: Load::Echo(EchoLoad {
            connections: CONNECTIONS,
            in_flight,
            content: Content::Bytes(kind, payload_bytes),
            pacing,
        }),
    }
}

fn exchange(
    name: &str,
    role: Role,
    content: Content,
    connections: usize,
    in_flight: usize,
) -> Scenario {
    Scenario {
        name: format!("{name}/x{in_flight}"),
        role,
        load: Load::Echo(EchoLoad {
            connections,
            in_flight,
            content,
            pacing: Pacing::Rounds,
        }),
    }
}

fn idle(role: Role, before: Before, connections: usize) -> Scenario {
    let name = match (role, before) {
        (Role::Tls, _) => "tls/memory".to_owned(),
        (Role::Hundred, _) => "http2/memory".to_owned(),
        (_, Before::Nothing) => "memory/fresh".to_owned(),
        (_, Before::OneMessage(bytes)) => format!("memory/after-{}", size(bytes)),
        (_, Before::Json(..)) => "deflate/memory".to_owned(),
    };
    Scenario {
        name,
        role,
        load: Load::Idle(IdleLoad {
            connections,
            before,
        }),
    }
}

fn handshakes(role: Role) -> Scenario {
    let name = match role {
        Role::Tls => "tls/handshakes",
        _ => "handshakes",
    };
    Scenario {
        name: name.to_owned(),
        role,
        load: Load::Handshakes(HandshakeLoad {
            concurrency: HANDSHAKE_CONCURRENCY,
        }),
    }
}

fn fan_out(stalled: usize) -> Scenario {
    let mut scenario = one_to_all("", Role::Fan, FanOutContent::Letters(64));
    scenario.name = format!("fan-out/{stalled}-stalled");
    if let Load::FanOut(load) = &mut scenario.load {
        load.stalled = stalled;
    }
    scenario
}

fn one_to_all(name: &str, role: Role, content: FanOutContent) -> Scenario {
    Scenario {
        name: name.to_owned(),
        role,
        load: Load::FanOut(FanOutLoad {
            receivers: FAN_OUT_RECEIVERS,
            stalled: 0,
            content,
        }),
    }
}

fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes}B"),
        1024..0x10_0000 => format!("{}KiB", bytes >> 10),
        _ => format!("{}MiB", bytes >> 20),
    }
}

fn memory(bytes: f64) -> Measurement {
    Measurement {
        metric: "memory per connection",
        unit: "KiB",
        better: Better::Lower,
        value: Some(bytes / 1024.0),
        generator_bound: false,
    }
}

fn wire_bytes(bytes: f64) -> Measurement {
    Measurement {
        metric: "bytes on the wire",
        unit: "B",
        better: Better::Lower,
        value: Some(bytes),
        generator_bound: false,
    }
}

fn read_off(sample: &Sample, window: Window, [cpu, rate]: [&'static str; 2]) -> Vec<Measurement> {
    // On processors that both need, a busy generator and a busy server are simply a full machine.
    // It is the generator that limits when it is busy while the server leaves processors idle.
    let idle = processors() - sample.generator_busy() - sample.server_busy();
    let limit = GENERATOR_LIMIT * f64_from(Handle::current().metrics().num_workers());
    let generator_bound = sample.generator_busy() > limit && idle > IDLE_PROCESSORS;
    // A message that takes a good part of the window mostly begins or ends outside it, and only
    // the fast ones would be seen.
    let too_slow = sample
        .latency
        .quantile(0.99)
        .is_some_and(|p99| p99 > window.measured / 3);
    let latency = |share| sample.latency.quantile(share).filter(|_| !too_slow);
    let micros = |share| latency(share).map(|at| at.as_secs_f64() * 1e6);
    let figure = |metric, unit, better, value| Measurement {
        metric,
        unit,
        better,
        value,
        generator_bound: generator_bound && metric != cpu,
    };
    vec![
        figure(cpu, "µs", Better::Lower, Some(sample.server_micros())),
        figure(rate, "1/s", Better::Higher, Some(sample.per_second())),
        figure("latency p50", "µs", Better::Lower, micros(0.5)),
        figure("latency p99", "µs", Better::Lower, micros(0.99)),
        figure("latency p99.9", "µs", Better::Lower, micros(0.999)),
        figure(
            "server busy",
            "CPUs",
            Better::Neither,
            Some(sample.server_busy()),
        ),
        figure(
            ELSEWHERE,
            "CPUs",
            Better::Neither,
            Some(sample.elsewhere_busy()),
        ),
        figure(
            "generator busy",
            "CPUs",
            Better::Neither,
            Some(sample.generator_busy()),
        ),
        figure(
            "generator CPU",
            "µs",
            Better::Neither,
            Some(sample.generator_micros()),
        ),
    ]
}

fn processors() -> f64 {
    f64_from(Machine::describe().processors)
}

fn f64_from(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_a_quick_run_is_part_of_a_full_one() {
        let all = full().into_iter().chain(groups());
        let names: Vec<_> = all.map(|scenario| scenario.name).collect();
        let mut distinct = names.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len());
        for scenario in quick() {
            assert!(names.contains(&scenario.name), "{}", scenario.name);
        }
    }

    #[test]
    fn sizes_are_said_in_the_largest_unit() {
        assert_eq!(
            [size(16), size(1 << 10), size(1 << 20)],
            ["16B", "1KiB", "1MiB"]
        );
    }
}
