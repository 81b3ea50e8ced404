//! Transports that are broken on purpose, each in a way in which libraries are: the case that
//! should notice does, and so do random rounds where they can see it.

mod own_driver;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use own_driver::OwnServer;
use tokio::io::DuplexStream;
use wharf_conformance::{Host, InProgress, Running, cases, check, differential::Differential};
use wharf_sdk::{
    App, Bytes, ErrorKind, Message, Result,
    driver::{Capabilities, NativeSocket, Transport, Unfinished, WireTransport},
};

const CAPABILITIES: Capabilities = Capabilities::wire("broken");

/// What is wrong with a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// A violation overtakes the messages before it.
    ForgetsWhatIsValid,
    /// A violation looks like the end of the connection.
    HidesViolations,
    /// The end of the connection goes unnoticed.
    HidesTheEnd,
    /// What was taken counts as sent.
    ClaimsToHaveFlushed,
    /// Only whole messages count as received.
    CountsMessagesOnly,
    /// Empty messages get lost.
    LosesEmptyMessages,
}

#[derive(Debug)]
struct Faulty {
    inner: WireTransport<DuplexStream>,
    fault: Fault,
    ahead: VecDeque<Message>,
}

impl Transport for Faulty {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        loop {
            let came = self.inner.poll_recv(cx);
            match (self.fault, came) {
                (Fault::ForgetsWhatIsValid, Poll::Ready(Some(Ok(message)))) => {
                    self.ahead.push_back(message);
                }
                (Fault::ForgetsWhatIsValid, violation @ Poll::Ready(Some(Err(_)))) => {
                    self.ahead.clear();
                    return violation;
                }
                (Fault::ForgetsWhatIsValid, other) => {
                    return match self.ahead.pop_front() {
                        Some(message) => Poll::Ready(Some(Ok(message))),
                        None => other,
                    };
                }
                (Fault::HidesViolations, Poll::Ready(Some(Err(error))))
                    if error.kind() != ErrorKind::Io =>
                {
                    return Poll::Ready(None);
                }
                (Fault::HidesTheEnd, Poll::Ready(None)) => return Poll::Pending,
                (Fault::LosesEmptyMessages, Poll::Ready(Some(Ok(message))))
                    if message.is_data() && message.payload_bytes() == 0 => {}
                (_, Poll::Ready(Some(Ok(message)))) => {
                    return Poll::Ready(Some(Ok(message)));
                }
                (_, other) => return other,
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        match self.fault {
            Fault::ClaimsToHaveFlushed => Poll::Ready(Ok(())),
            _ => self.inner.poll_ready(cx),
        }
    }

    fn start_send(&mut self, message: Message) -> Result<()> {
        self.inner.start_send(message)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = self.inner.poll_flush(cx);
        if self.fault == Fault::ClaimsToHaveFlushed && flushed.is_pending() {
            return Poll::Ready(Ok(()));
        }
        flushed
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.inner.poll_close(cx)
    }

    fn rest(&mut self) {
        self.inner.rest();
    }

    fn unsent_bytes(&self) -> usize {
        self.inner.unsent_bytes()
    }

    fn unfinished(&self) -> Unfinished {
        match self.fault {
            Fault::CountsMessagesOnly => Unfinished::default(),
            _ => self.inner.unfinished(),
        }
    }

    fn abort(&mut self) {
        self.inner.abort();
    }

    fn poll_native(&mut self, cx: &mut Context<'_>) -> Poll<Result<Box<dyn NativeSocket>>> {
        self.inner.poll_native(cx)
    }
}

struct FaultyHost(Fault);

#[async_trait]
impl Host for FaultyHost {
    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    async fn serve(&self, app: App) -> Box<dyn Running> {
        let fault = self.0;
        Box::new(OwnServer {
            app,
            driver: CAPABILITIES.driver,
            wrap: move |io, upgrade: &wharf_sdk::driver::Upgrade| Faulty {
                inner: WireTransport::new(io, &Bytes::new(), upgrade.limits().into()),
                fault,
                ahead: VecDeque::new(),
            },
        })
    }

    fn can_pause_time(&self) -> bool {
        true
    }
}

/// Asserts that a case fails on the broken transport for the reason given, and passes on the same
/// transport when nothing is wrong with it.
#[track_caller]
fn expect_caught(
    fault: Fault,
    case: impl for<'a> Fn(&'a dyn Host) -> InProgress<'a>,
    reason: &str,
) {
    check(&FaultyHost(Fault::None), &case);
    let caught = catch_unwind(AssertUnwindSafe(|| check(&FaultyHost(fault), &case)));
    let panic = caught.expect_err("the case notices");
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned()));
    let message = message.unwrap_or_default();
    assert!(
        message.contains(reason),
        "caught for another reason: {message}"
    );
}

#[track_caller]
fn expect_caught_by_rounds(fault: Fault, different: &str) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let rounds = Differential::new()
        .seed(1)
        .rounds(500)
        .patience(Duration::from_secs(3));
    let hosts: &[(&str, &dyn Host)] = &[("broken", &FaultyHost(fault))];
    let report = runtime
        .block_on(rounds.run(hosts))
        .expect_err("the rounds notice")
        .report;
    assert!(
        report.contains(different),
        "caught for another reason: {report}"
    );
}

#[test]
fn valid_messages_that_a_violation_overtakes_are_caught() {
    let fault = Fault::ForgetsWhatIsValid;
    expect_caught(
        fault,
        |host| Box::pin(cases::violation::valid_messages_first(host)),
        "expected the text \"one\", got close",
    );
    expect_caught_by_rounds(fault, "broken: ");
}

#[test]
fn hidden_violations_are_caught() {
    let fault = Fault::HidesViolations;
    for case in [
        (|host| Box::pin(cases::violation::reserved_bit(host)) as InProgress<'_>)
            as for<'a> fn(&'a dyn Host) -> InProgress<'a>,
        |host| Box::pin(cases::violation::violation_is_observed(host)),
        |host| Box::pin(cases::violation::invalid_utf8(host)),
        |host| Box::pin(cases::size::to_the_byte(host)),
        |host| Box::pin(cases::observers::isolated_and_in_order(host)),
    ] {
        expect_caught(fault, case, "the connection ended");
    }
    expect_caught_by_rounds(fault, "broken: end");
}

#[test]
fn an_end_that_goes_unnoticed_is_caught() {
    let fault = Fault::HidesTheEnd;
    expect_caught(
        fault,
        |host| Box::pin(cases::peer_close::vanished(host)),
        "no note for",
    );
    expect_caught_by_rounds(fault, "broken: ");
}

#[test]
fn what_only_claims_to_be_flushed_is_caught() {
    expect_caught(
        Fault::ClaimsToHaveFlushed,
        |host| Box::pin(cases::heartbeat::slow_transfer_survives(host)),
        "dropped: ",
    );
}

#[test]
fn bytes_that_do_not_count_are_caught() {
    expect_caught(
        Fault::CountsMessagesOnly,
        |host| Box::pin(cases::timers::arriving_data_is_not_idle(host)),
        "1001",
    );
}

#[test]
fn lost_messages_are_caught() {
    let fault = Fault::LosesEmptyMessages;
    expect_caught(
        fault,
        |host| Box::pin(cases::message::lengths(host)),
        "expected the text \"\"",
    );
    expect_caught_by_rounds(fault, "broken: ");
}
