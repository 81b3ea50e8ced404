//! Deadlines that end a session.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};
use wharf_sdk::{Configure, Principal, Result, Route, Socket, middleware::bearer};

use crate::{Host, Request, Site, client::Frame, fixture::echo};

/// A peer that sends nothing for the idle timeout is closed with 1001.
pub async fn idle(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let opened = Instant::now();
    let mut client = site.open("/idle").await;
    client.expect_close(1001).await;
    let waited = opened.elapsed();
    assert!(
        waited >= Duration::from_millis(490),
        "closed after {waited:?}"
    );
    site.events
        .only("closed")
        .await
        .expect_outcome(1001, true, "server");
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_IDLE_TIMEOUT", "session");
}

/// Data puts the idle timeout off.
pub async fn data_is_not_idle(host: &dyn Host) {
    let timeout = Duration::from_secs(3);
    let site = Site::of(host, |app| {
        app.route(Route::new("/idle", echo).idle_timeout(timeout))
    });
    let mut client = site.await.open("/idle").await;
    let opened = Instant::now();
    while opened.elapsed() < timeout + Duration::from_millis(500) {
        client.expect_echo("not idle").await;
        sleep(Duration::from_millis(100)).await;
    }
    client.close().await;
}

/// So do the fragments of a message, however small.
pub async fn fragments_are_not_idle(host: &dyn Host) {
    let timeout = Duration::from_secs(3);
    let site = Site::of(host, |app| {
        app.route(Route::new("/idle", echo).idle_timeout(timeout))
    });
    let mut client = site.await.open("/idle").await;
    let opened = Instant::now();
    client.send(Frame::text("x").unfinished()).await;
    while opened.elapsed() < 2 * timeout {
        sleep(Duration::from_millis(200)).await;
        client.send(Frame::continuation("x").unfinished()).await;
    }
    client.send(Frame::continuation("!")).await;
    assert!(client.expect_any_text().await.ends_with("x!"));
    client.close().await;
}

/// Pings do not: only data counts.
pub async fn pings_are_idle(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/idle").await;
    let opened = Instant::now();
    loop {
        client.send(Frame::ping("x")).await;
        let frame = client.recv().await.expect("a pong, or the close");
        if frame.opcode == crate::client::opcode::CLOSE {
            assert_eq!(frame.close_code_and_reason().0, 1001);
            return;
        }
        assert!(
            opened.elapsed() < Duration::from_secs(20),
            "pings kept the session alive"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// A large message that takes longer than the timeout to arrive is not idle.
pub async fn arriving_data_is_not_idle(host: &dyn Host) {
    let timeout = Duration::from_secs(3);
    let site = Site::of(host, |app| {
        app.route(Route::new("/idle", echo).idle_timeout(timeout))
    });
    let mut client = site.await.open("/idle").await;
    let large = vec![7; 1024 * 1024];
    for piece in Frame::binary(large.clone()).to_bytes().chunks(64 * 1024) {
        client.send_raw(piece).await;
        sleep(timeout / 12).await;
    }
    client.expect_binary(&large).await;
    client.close().await;
}

/// A message that trickles in, byte by byte, is: it would hold the session open for ever.
pub async fn trickle_is_idle(host: &dyn Host) {
    let mut client = Site::fixture(host).await.open("/idle").await;
    let opened = Instant::now();
    for byte in Frame::text("x".repeat(10_000)).to_bytes().chunks(1) {
        client.send_raw(byte).await;
        if let Some(end) = client.recv_within(Duration::from_millis(50)).await {
            let close = end.expect("a close frame");
            assert_eq!(close.close_code_and_reason().0, 1001);
            return;
        }
        assert!(
            opened.elapsed() < Duration::from_secs(20),
            "a trickle kept the session alive"
        );
    }
}

/// There is no idle timeout by default.
pub async fn idle_is_off_by_default(host: &dyn Host) {
    let site = Site::of(host, |app| app.route(Route::new("/echo", echo))).await;
    assert_eq!(site.app.routes()[0].limits.idle_timeout, None);
}

/// A first message that does not come in time ends the session with 1008; one that does lifts the
/// deadline.
pub async fn first_message(host: &dyn Host) {
    let timeout = Duration::from_secs(3);
    let route = Route::new("/first", echo).first_message_timeout(timeout);
    let site = Site::of(host, |app| app.route(route)).await;
    let mut prompt = site.open("/first").await;
    prompt.expect_echo("prompt").await;
    let mut late = site.open("/first").await;
    late.expect_close(1008).await;
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_FIRST_MESSAGE_TIMEOUT", "session");
    prompt.expect_echo("still here").await;
    prompt.close().await;
}

/// A session that reaches its maximum age ends with 1001, however busy it is.
pub async fn maximum_age(host: &dyn Host) {
    let age = Duration::from_millis(600);
    let site = Site::of(host, |app| {
        app.route(Route::new("/aging", echo).max_age(age))
    })
    .await;
    let opened = Instant::now();
    let mut client = site.open("/aging").await;
    loop {
        client.send_text("busy").await;
        let frame = client.recv().await.expect("an echo, or the close");
        if frame.opcode == crate::client::opcode::CLOSE {
            assert_eq!(frame.close_code_and_reason().0, 1001);
            break;
        }
        assert!(
            opened.elapsed() < Duration::from_secs(20),
            "the session does not age"
        );
        sleep(Duration::from_millis(20)).await;
    }
    assert!(opened.elapsed() >= Duration::from_millis(590));
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_MAX_AGE", "session");
}

/// A credential that expires ends the session with 1008.
pub async fn credential_expiry(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let verify = async |_| {
            let expiry = SystemTime::now() + Duration::from_secs(3);
            Ok(Some(Principal::new("alice").expiring_at(expiry)))
        };
        app.middleware(bearer(verify))
            .route(Route::new("/echo", echo).require_auth())
    })
    .await;
    let request = Request::upgrade("/echo").with("Authorization", "Bearer token");
    let mut client = site.open_with(request).await;
    client.expect_echo("welcome").await;
    client.expect_close(1008).await;
    site.events
        .only("closed")
        .await
        .expect_outcome(1008, true, "server");
    site.events
        .only("failed")
        .await
        .expect_error("WHARF_CREDENTIAL_EXPIRED", "session");
}

/// A credential that is renewed keeps its session, until the new one expires.
pub async fn renewed_credential(host: &dyn Host) {
    let renews = async |mut socket: Socket| -> Result<()> {
        while let Some(message) = socket.read().await? {
            socket.renew(SystemTime::now() + Duration::from_secs(7));
            socket.write(message).await?;
        }
        Ok(())
    };
    let site = Site::of(host, |app| {
        let verify = async |_| {
            let expiry = SystemTime::now() + Duration::from_secs(3);
            Ok(Some(Principal::new("alice").expiring_at(expiry)))
        };
        app.middleware(bearer(verify))
            .route(Route::new("/renews", renews).require_auth())
    })
    .await;
    let request = Request::upgrade("/renews").with("Authorization", "Bearer token");
    let mut client = site.open_with(request).await;
    client.expect_echo("a new token").await;
    // Past the end of the old one, and well before that of the new.
    client.expect_silence(Duration::from_millis(3500)).await;
    client.expect_close(1008).await;
}

/// One that has expired already ends it at once.
pub async fn expired_credential(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let verify = async |_| {
            let expiry = SystemTime::now() - Duration::from_secs(60);
            Ok(Some(Principal::new("alice").expiring_at(expiry)))
        };
        app.middleware(bearer(verify))
            .route(Route::new("/echo", echo).require_auth())
    })
    .await;
    let request = Request::upgrade("/echo").with("Authorization", "Bearer token");
    site.open_with(request).await.expect_close(1008).await;
}

/// Timers fire while the handler is busy with something else.
pub async fn timers_run_while_the_handler_is_busy(host: &dyn Host) {
    let busy = async |_socket: Socket| -> Result<()> {
        sleep(Duration::from_secs(60)).await;
        Ok(())
    };
    let route = Route::new("/busy", busy).idle_timeout(Duration::from_millis(300));
    let site = Site::of(host, |app| app.route(route)).await;
    let opened = Instant::now();
    let mut client = site.open("/busy").await;
    client.expect_close(1001).await;
    assert!(
        opened.elapsed() < Duration::from_secs(30),
        "the timer waited for the handler"
    );
}
