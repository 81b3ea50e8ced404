//! An auction: typed events with replies, a room with presence, who may do what, and how often.
//!
//! Open <http://127.0.0.1:3000/#alice> and <http://127.0.0.1:3000/#bob> in two tabs, or talk to it by
//! hand:
//!
//!     cargo run -p wharf-examples --bin auction
//!     cargo run -p wharf-examples --bin connect -- ws://127.0.0.1:3000/auctions/vase --subprotocol bearer.alice
//!     {"event":"bid","data":{"amount":10},"id":1}
//!
//! The same by hand, on a socket of messages, took 641 lines. What became of its largest parts:
//!
//! | part | by hand | here |
//! |---|---:|---:|
//! | rooms and presence | 85 | 32: `Bidder`, `enter`, `watchers`, and two publishes |
//! | a dispatcher with ids and permissions | 55 | 12: the `Channel` |
//! | requests of the server | 58 | 4: `bidder.request("confirm", …)`, and what becomes of the answer |
//! | a rate per user | 35 | 1: `EventRate` |
//! | a Prometheus observer | 87 | 0: `.observer(Metrics)` of the feature `metrics`, and any exporter |
//! | a cookie authenticator | 19 | 1: `cookie("session", verify)` |
//!
//! All of it, without its tests, is 141 lines of code.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use wharf::{
    App, Error, ErrorKind, Path, Principal, Result, Route, State,
    channel::{ChannelPeer, Data, Envelope, Event, EventRate, Held},
    hub::{Hub, Room, RoomOptions, Seat},
    middleware::{bearer, cookie, subprotocol_token},
    prelude::*,
    response,
};

/// The highest bid of each lot.
#[derive(Clone, Default)]
struct Lots(Arc<Mutex<HashMap<String, Highest>>>);

struct Highest {
    amount: u64,
    name: Arc<str>,
    bidder: ChannelPeer,
}

/// How long a bidder may think about it.
const CONFIRM: Duration = Duration::from_secs(10);

/// What a connection holds: its place in the lot's room.
struct Bidder {
    room: Room,
    seat: Seat,
}

#[derive(Deserialize)]
struct Bid {
    amount: u64,
}

#[derive(Serialize)]
struct Accepted {
    highest: u64,
}

#[derive(Serialize)]
struct Sold<'a> {
    to: &'a str,
    amount: u64,
}

async fn enter(
    peer: ChannelPeer,
    Path(lot): Path<String>,
    State(hub): State<Hub>,
    who: Principal,
) -> Result<Bidder> {
    let room = hub.room_with(lot, RoomOptions::new().with_presence())?;
    let name = serde_json::json!({ "name": &*who.id });
    let seat = room.join(&peer).with(name).await?;
    Ok(Bidder { room, seat })
}

async fn bid(
    Data(Bid { amount }): Data<Bid>,
    Path(lot): Path<String>,
    State(lots): State<Lots>,
    who: Principal,
    peer: ChannelPeer,
    bidder: Held<Bidder>,
) -> Result<Accepted> {
    {
        let mut lots = lots.0.lock().unwrap_or_else(PoisonError::into_inner);
        let highest = lots.get(&lot).map_or(0, |highest| highest.amount);
        if amount <= highest {
            return Err(refused("BID_TOO_LOW", format!("bid more than {highest}")));
        }
        let highest = Highest {
            amount,
            name: who.id,
            bidder: peer,
        };
        lots.insert(lot, highest);
    }
    let news = Envelope::default().message("outbid", &amount)?;
    bidder.room.publish(news).except(&bidder.seat).await?;
    Ok(Accepted { highest: amount })
}

async fn watchers(bidder: Held<Bidder>) -> Result<Vec<serde_json::Value>> {
    let members = bidder.room.members().await?;
    Ok(members.into_iter().map(|member| member.metadata).collect())
}

/// Whoever bid most is asked whether they still want it; if not, the lot begins anew.
async fn sell(
    Path(lot): Path<String>,
    State(lots): State<Lots>,
    auctioneer: Held<Bidder>,
) -> Result<()> {
    let highest = {
        let mut lots = lots.0.lock().unwrap_or_else(PoisonError::into_inner);
        lots.remove(&lot)
            .ok_or_else(|| refused("NO_BID", "nobody has bid for it"))?
    };
    let amount = highest.amount;
    let wanted = highest.bidder.request("confirm", &amount, CONFIRM).await;
    if !wanted.unwrap_or(false) {
        return Err(refused("NOT_CONFIRMED", "the bidder does not want it"));
    }
    let to = &highest.name;
    let news = Envelope::default().message("sold", &Sold { to, amount })?;
    auctioneer.room.publish(news).await?;
    Ok(())
}

fn refused(code: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, code, message.into())
}

/// Anybody's name is their token here; `auctioneer` may sell.
async fn verify(token: String) -> Result<Option<Principal>> {
    let scopes = if token == "auctioneer" {
        vec!["bid", "sell"]
    } else {
        vec!["bid"]
    };
    Ok(Some(Principal::new(token).with_scopes(scopes)))
}

/// The app, as the tests use it too.
pub fn app() -> Result<App> {
    let auction = Channel::new()
        .on_open(enter)
        .event(
            Event::new("bid", bid)
                .require_scopes(["bid"])
                .rate(EventRate::per_second(10).by_principal())
                .timeout(Duration::from_secs(5)),
        )
        .on("watchers", watchers)
        .event(Event::new("sell", sell).require_scopes(["sell"]))
        .emits("outbid")
        .emits("sold");
    App::builder()
        .state(Hub::local())
        .state(Lots::default())
        .middleware(bearer(verify))
        .middleware(subprotocol_token("bearer.", verify))
        .middleware(cookie("session", verify))
        .route(
            Route::new("/", wharf_examples::no_socket)
                .fallback(async |_| response::html(include_str!("../auction/page.html"))),
        )
        .route(wharf_examples::browser_client())
        .route(Route::new("/auctions/{lot}", auction).require_auth())
        .build()
}

#[tokio::main]
async fn main() -> Result<()> {
    wharf_examples::serve(app()?).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wharf::testing::TestHost;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_is_outbid_hears_of_it_and_only_the_auctioneer_sells() -> Result<()> {
        let host = TestHost::new(app()?);
        let mut alice = host.connect("/auctions/vase").bearer("alice").await;
        let mut bob = host.connect("/auctions/vase").bearer("bob").await;
        let mut auctioneer = host.connect("/auctions/vase").bearer("auctioneer").await;

        assert_eq!(
            alice.call("bid", json!({ "amount": 10 })).await,
            Ok(json!({ "highest": 10 }))
        );
        assert_eq!(bob.expect_event("outbid").await, 10);
        let refused = bob
            .call("bid", json!({ "amount": 10 }))
            .await
            .expect_err("too low");
        assert_eq!(refused["code"], "BID_TOO_LOW");
        assert_eq!(
            bob.call("bid", json!({ "amount": 11 })).await,
            Ok(json!({ "highest": 11 }))
        );
        assert_eq!(alice.expect_event("outbid").await, 11);

        let refused = alice.call("sell", json!(null)).await.expect_err("no scope");
        assert_eq!(refused["code"], "WHARF_EVENT_DENIED");
        assert_eq!(
            auctioneer
                .call("watchers", json!(null))
                .await
                .map(|who| who.as_array().map(Vec::len)),
            Ok(Some(3))
        );
        for (wants, result) in [(false, Err("NOT_CONFIRMED")), (true, Ok(json!(null)))] {
            bob.call("bid", json!({ "amount": 12 }))
                .await
                .expect("more");
            let confirm = async {
                let (amount, request) = bob.expect_request("confirm").await;
                assert!(amount.is_number());
                bob.answer(request, wants).await;
            };
            let (sold, ()) = tokio::join!(auctioneer.call("sell", json!(null)), confirm);
            let code = sold.map_err(|error| error["code"].as_str().unwrap_or_default().to_owned());
            assert_eq!(code, result.map_err(str::to_owned));
        }
        let sold = alice.expect_event("sold").await;
        assert_eq!((&sold["to"], &sold["amount"]), (&json!("bob"), &json!(12)));
        host.connect("/auctions/vase").expect_rejected(401).await;
        Ok(())
    }
}
