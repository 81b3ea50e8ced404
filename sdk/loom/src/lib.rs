//! Every interleaving of how a session's task sleeps and is woken. Run by `.ci/loom`.

// The file is the SDK's own; what it is made of is loom's.
#[allow(dead_code, reason = "some of it is for the SDK only")]
#[path = "../../src/session/bell.rs"]
mod bell;
mod sync;

#[cfg(all(test, loom))]
mod tests {
    use std::{future::poll_fn, task::Poll};

    use loom::{
        future::block_on,
        sync::{
            Arc, Mutex,
            atomic::{AtomicBool, Ordering},
        },
        thread,
    };

    use super::bell::Bell;

    struct Session {
        bell: Bell,
        /// What senders queue, under the lock.
        queue: Mutex<u32>,
        /// What the handler waits for, under no lock.
        is_ready: AtomicBool,
    }

    /// Starts a session with these neighbours and runs its task until it has seen this many
    /// messages and, if asked to, what the handler waits for. A lost wake is a deadlock, which loom
    /// reports.
    fn check(messages: u32, wakes_handler: bool) {
        loom::model(move || {
            let session = Arc::new(Session {
                bell: Bell::new(),
                queue: Mutex::new(0),
                is_ready: AtomicBool::new(false),
            });
            let mut others: Vec<_> = (0..messages)
                .map(|_| {
                    let session = Arc::clone(&session);
                    thread::spawn(move || {
                        *session.queue.lock().expect("no panic") += 1;
                        session.bell.touch();
                    })
                })
                .collect();
            if wakes_handler {
                let session = Arc::clone(&session);
                others.push(thread::spawn(move || {
                    session.is_ready.store(true, Ordering::Release);
                    session.bell.call_handler();
                }));
            }
            run(&session, messages, wakes_handler);
            for other in others {
                other.join().expect("no panic");
            }
        });
    }

    fn run(session: &Session, messages: u32, wakes_handler: bool) {
        let (mut seen, mut is_served) = (0, !wakes_handler);
        block_on(poll_fn(|cx| {
            session.bell.enter(cx.waker());
            loop {
                // As `Session::poll` does: look, take what is queued, run the handler, leave.
                session.bell.look();
                seen += std::mem::take(&mut *session.queue.lock().expect("no panic"));
                if session.bell.take_handler_call() {
                    is_served |= session.is_ready.load(Ordering::Acquire);
                }
                if seen == messages && is_served {
                    return Poll::Ready(());
                }
                if session.bell.leave() {
                    return Poll::Pending;
                }
                thread::yield_now();
            }
        }));
    }

    #[test]
    fn no_senders_message_is_missed() {
        check(1, false);
        check(2, false);
    }

    #[test]
    fn no_wake_of_the_handler_is_missed() {
        check(0, true);
    }

    #[test]
    fn neither_hides_the_other() {
        check(1, true);
    }
}
