//! Who connects how often, and for how long.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{sleep, timeout};
use wharf_sdk::{Error, Principal, PrincipalCap, Route, middleware::bearer};

use crate::{
    Client, Host, Request, Site,
    client::PATIENCE,
    fixture::{echo, renewed_for},
};

/// The newest connection of a principal closes the one before it; others are not touched.
pub async fn newest_wins(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let mut bob = site.open_with(of("/one-per-user", "letmein-noscope")).await;
    let mut first = site.open_with(of("/one-per-user", "letmein")).await;
    first.expect_echo("first").await;
    let mut second = site.open_with(of("/one-per-user", "letmein")).await;
    first.expect_close(4009).await;
    second.expect_echo("second").await;
    bob.expect_echo("bob").await;
    second.close().await;
    bob.close().await;
    site.request(Request::upgrade("/one-per-user"))
        .await
        .expect_problem(401, "WHARF_UNAUTHORIZED");
}

/// Beyond a principal's cap: 503, until one of its connections ends.
pub async fn refused_beyond_the_cap(host: &dyn Host) {
    let site = Site::of(host, |app| {
        let anybody = bearer(async |token: String| Ok(Some(Principal::new(token))));
        app.route(
            Route::new("/two", echo)
                .middleware(anybody)
                .require_auth()
                .connections_per_principal(PrincipalCap::refuse(2)),
        )
    })
    .await;
    let first = site.open_with(of("/two", "alice")).await;
    let mut second = site.open_with(of("/two", "alice")).await;
    let refused = site.request(of("/two", "alice")).await;
    let refused = refused.expect_problem(503, "WHARF_FULL_FOR_PRINCIPAL");
    assert!(refused.header("retry-after").is_some());
    let mut bob = site.open_with(of("/two", "bob")).await;
    bob.expect_echo("bob").await;
    close(first).await;
    let mut third = open_again(&site).await;
    third.expect_echo("third").await;
    second.expect_echo("second").await;
}

/// A renewed credential lets the session go on; one that is not ends it with 1008.
pub async fn renewed_credentials(host: &dyn Host) {
    let credential = Duration::from_secs(3);
    let site = Site::of(host, |app| app.route(renewed_for("/renew", credential))).await;
    let mut client = site.open_with(of("/renew", "letmein")).await;
    for _ in 0..4 {
        sleep(credential / 3).await;
        client.send_text("renew").await;
        client.expect_text("renewed").await;
    }
    client.expect_close(1008).await;
}

/// A principal that is not valid any more loses its sessions, with 1008, and without having asked for
/// anything; others keep theirs.
pub async fn verified_again(host: &dyn Host) {
    let banned = Arc::new(AtomicBool::new(false));
    let is_banned = Arc::clone(&banned);
    let site = Site::of(host, |app| {
        let anybody = bearer(async |token: String| Ok(Some(Principal::new(token))));
        app.route(Route::new("/again", echo).middleware(anybody).reverify(
            Duration::from_millis(50),
            move |who| {
                let is_gone = &*who.id == "alice" && is_banned.load(Ordering::Relaxed);
                async move {
                    match &*who.id {
                        "carol" => Err(Error::handler("the database is away")),
                        _ => Ok((!is_gone).then(|| Principal::clone(&who))),
                    }
                }
            },
        ))
    })
    .await;
    let mut alice = site.open_with(of("/again", "alice")).await;
    let bob = site.open_with(of("/again", "bob")).await;
    let carol = site.open_with(of("/again", "carol")).await;
    let stranger = site.open("/again").await;
    sleep(Duration::from_millis(200)).await;
    alice.expect_echo("still here").await;
    banned.store(true, Ordering::Relaxed);
    alice.expect_close(1008).await;
    for mut client in [bob, carol, stranger] {
        client.expect_echo("still here").await;
        client.close().await;
    }
}

async fn close(mut client: Client) {
    client.close().await;
}

/// The place of a session that has ended is given back a moment after its peer knows.
async fn open_again(site: &Site) -> Client {
    let opening = timeout(PATIENCE, async {
        loop {
            let answer = site.request(of("/two", "alice")).await;
            if answer.status() == 101 {
                return Client::new(answer);
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    opening.await.expect("the place is given back")
}

fn of(path: &str, token: &str) -> Request {
    Request::upgrade(path).with("Authorization", format!("Bearer {token}"))
}
