//! What happens, as metrics.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use metrics::{counter, gauge, histogram};

use crate::{
    app::{
        handle::AppHandle,
        observer::{Closed, HandlerTime, Observer, Rejection},
    },
    message::{ConnectionId, Error},
    session::{Counts, SessionInfo},
};

/// Counts what happens, and what live sessions move.
///
#[doc = include_str!("metrics.md")]
///
/// ```
/// use wharf_sdk::{App, AppHandle, Context, Response, Route, extract::FromContext};
/// use wharf_sdk::{http::StatusCode, observer::Metrics, response};
/// # async fn no_socket(_: wharf_sdk::Socket) {}
/// # fn render() -> String { String::new() }
///
/// let metrics = Metrics::default();
/// let sampled = metrics.clone();
/// let app = App::builder()
///     .observer(metrics)
///     .route(Route::new("/metrics", no_socket).fallback(move |context: Context| {
///         let metrics = sampled.clone();
///         async move {
///             if let Ok(app) = AppHandle::from_context(&context).await {
///                 metrics.sample(&app);
///             }
///             response::text(StatusCode::OK, render())
///         }
///     }))
///     .build();
/// # let _ = app;
/// ```
#[derive(Debug, Clone)]
pub struct Metrics {
    prefix: Arc<str>,
    told: Arc<Mutex<Told>>,
}

/// What the facade has been told of sessions so far.
#[derive(Debug, Default)]
struct Told {
    live: HashMap<ConnectionId, Sampled>,
    /// By route and driver; what has no session left must fall to 0.
    queues: HashMap<Place, Waiting>,
}

#[derive(Debug, Default)]
struct Sampled {
    counts: Counts,
    round_trip: Option<Duration>,
}

/// A route's pattern and a driver's name.
type Place = (Arc<str>, &'static str);

#[derive(Debug, Default)]
struct Waiting {
    bytes: usize,
    max: usize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::with_prefix("wharf")
    }
}

impl Metrics {
    /// Counts under names that begin with this prefix.
    pub fn with_prefix(prefix: &str) -> Self {
        Self {
            prefix: prefix.into(),
            told: Arc::default(),
        }
    }

    /// Adds what the live sessions have moved since the last sample, and says what waits in their
    /// queues. One walk over all sessions; none of them waits for it.
    pub fn sample(&self, app: &AppHandle) {
        let mut told = self.told();
        let told = &mut *told;
        told.queues
            .values_mut()
            .for_each(|waiting| *waiting = Waiting::default());
        for session in app.sessions() {
            let info = session.info();
            // One that has ended meanwhile was added whole.
            let Some(sampled) = told.live.get_mut(&info.id()) else {
                continue;
            };
            let figures = session.figures();
            self.add(info, &sampled.counts, &figures.counts);
            sampled.counts = figures.counts;
            if figures.round_trip != sampled.round_trip {
                sampled.round_trip = figures.round_trip;
                if let Some(round_trip) = figures.round_trip {
                    histogram!(self.name("round_trip_seconds"), &of(info))
                        .record(round_trip.as_secs_f64());
                }
            }
            let place = (Arc::clone(&info.way().route), info.driver());
            let waiting = told.queues.entry(place).or_default();
            waiting.bytes += figures.queue_bytes;
            waiting.max = waiting.max.max(figures.queue_bytes);
        }
        for ((route, driver), waiting) in &told.queues {
            let labels = [
                ("route", route.to_string()),
                ("driver", (*driver).to_owned()),
            ];
            gauge!(self.name("queue_bytes"), &labels).set(waiting.bytes as f64);
            gauge!(self.name("queue_bytes_max"), &labels).set(waiting.max as f64);
        }
    }

    /// Middleware that times the handlers behind it: how long each ran at a time, which is how long
    /// its connection had to wait. It costs two looks at the clock a turn, and an allocation a
    /// session.
    pub fn handler_time(&self) -> HandlerTime {
        HandlerTime {
            name: self.name("handler_seconds").into(),
        }
    }

    /// Adds what a session moved between two looks at it.
    fn add(&self, session: &SessionInfo, before: &Counts, now: &Counts) {
        for (name, before, now) in [
            ("messages_in_total", before.messages_in, now.messages_in),
            ("messages_out_total", before.messages_out, now.messages_out),
            ("bytes_in_total", before.bytes_in, now.bytes_in),
            ("bytes_out_total", before.bytes_out, now.bytes_out),
            (
                "wire_bytes_in_total",
                before.wire_bytes_in,
                now.wire_bytes_in,
            ),
            (
                "wire_bytes_out_total",
                before.wire_bytes_out,
                now.wire_bytes_out,
            ),
            (
                "messages_dropped_total",
                before.messages_dropped,
                now.messages_dropped,
            ),
        ] {
            let added = now.saturating_sub(before);
            if added > 0 {
                counter!(self.name(name), &of(session)).increment(added);
            }
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}_{name}", self.prefix)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // What is inside is counts, valid whatever panicked.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(session: &SessionInfo) -> [(&'static str, String); 2] {
    [
        ("route", session.route().to_string()),
        ("driver", session.driver().to_owned()),
    ]
}

impl Observer for Metrics {
    fn upgraded(&self, session: &SessionInfo) {
        self.told().live.insert(session.id(), Sampled::default());
        counter!(self.name("upgrades_total"), &of(session)).increment(1);
        gauge!(self.name("sessions"), &of(session)).increment(1.0);
    }

    fn rejected(&self, rejection: &Rejection<'_>) {
        // No label for paths that matched nothing: clients can make up any number of them.
        let labels = [
            ("route", rejection.context.route().to_owned()),
            ("driver", rejection.context.driver().to_owned()),
            ("status", rejection.status.as_str().to_owned()),
            ("error", rejection.error.map_or("", Error::code).to_owned()),
        ];
        counter!(self.name("rejections_total"), &labels).increment(1);
    }

    fn closed(&self, session: &SessionInfo, closed: &Closed<'_>) {
        let sampled = self.told().live.remove(&session.id()).unwrap_or_default();
        self.add(session, &sampled.counts, &closed.counts);
        gauge!(self.name("sessions"), &of(session)).decrement(1.0);
        let [route, driver] = of(session);
        let outcome = closed.outcome;
        let labels = [
            route,
            driver,
            ("code", code_label(outcome.code.as_u16())),
            ("initiator", outcome.initiator.as_str().to_owned()),
        ];
        counter!(self.name("closes_total"), &labels).increment(1);
        histogram!(self.name("session_seconds"), &of(session))
            .record(closed.duration.as_secs_f64());
    }

    fn failed(&self, session: &SessionInfo, error: &Error) {
        let [route, driver] = of(session);
        let labels = [route, driver, ("error", error.code().to_owned())];
        counter!(self.name("failures_total"), &labels).increment(1);
    }
}

/// Peers choose their codes: those of the application's own range share a label.
fn code_label(code: u16) -> String {
    match code {
        3000..=3999 => "3xxx".to_owned(),
        4000..=4999 => "4xxx".to_owned(),
        code => code.to_string(),
    }
}
