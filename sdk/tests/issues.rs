//! What is wrong with a payload is told in the names that the peer sent.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]
#![cfg(feature = "validate")]

use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};
use wharf_sdk::{
    App, Channel, Configure, DecodeErrors, Result, Route, Typed,
    channel::{Data, Valid},
    codec::ValidJson,
    testing::TestHost,
};

#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
struct Bid {
    #[garde(range(max = 10))]
    max_amount: u32,
    #[serde(rename = "deliver-to")]
    #[garde(dive)]
    deliver_to: Vec<Address>,
    #[serde(flatten)]
    #[garde(dive)]
    terms: Terms,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
struct Address {
    #[garde(length(min = 1))]
    street_name: String,
}

#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase")]
struct Terms {
    #[garde(range(min = 1))]
    days_open: u32,
}

fn wrong() -> Value {
    json!({ "maxAmount": 11, "deliver-to": [{ "streetName": "a" }, { "streetName": "" }], "daysOpen": 0 })
}

fn paths(error: &Value) -> Vec<&str> {
    let issues = error["issues"].as_array().unwrap();
    issues
        .iter()
        .map(|issue| issue["path"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn of_events() {
    let channel = Channel::new()
        .on("bid", async |Valid(bid): Valid<Bid>| {
            Result::<u32>::Ok(bid.max_amount)
        })
        .on("raw", async |Data(bid): Data<Bid>| {
            Result::<u32>::Ok(bid.max_amount)
        });
    let app = App::builder().route(Route::new("/", channel));
    let mut client = TestHost::new(app.build().unwrap()).connect("/").await;
    let error = client.call("bid", wrong()).await.unwrap_err();
    let mut told = paths(&error);
    told.sort_unstable();
    assert_eq!(told, ["daysOpen", "deliver-to[1].streetName", "maxAmount"]);

    let mut bid = wrong();
    for (field, value) in [("maxAmount", json!("nine")), ("daysOpen", json!([]))] {
        bid[field] = value;
        let error = client.call("raw", &bid).await.unwrap_err();
        let told = error["message"].as_str().unwrap();
        assert!(told.contains(&format!(" at {field}")), "{told}");
        bid[field] = json!(1);
    }
    bid["deliver-to"][1] = json!({ "streetName": 7 });
    let error = client.call("raw", &bid).await.unwrap_err();
    let told = error["message"].as_str().unwrap();
    assert!(told.contains(" at deliver-to[1].streetName"), "{told}");
}

#[tokio::test]
async fn of_typed_messages() {
    async fn bids(mut socket: Typed<Bid, u32, ValidJson>) -> Result<()> {
        while let Some(bid) = socket.read().await? {
            socket.write(&bid.max_amount).await?;
        }
        Ok(())
    }
    let route = Route::new("/", bids).decode_errors(DecodeErrors::Answer);
    let app = App::builder().route(route).build().unwrap();
    let mut client = TestHost::new(app).connect("/").await;
    client.send_json(&wrong()).await;
    let answer: Value = client.expect_json().await;
    assert_eq!(paths(&answer["error"]).len(), 3);
    assert!(paths(&answer["error"]).contains(&"maxAmount"));
}

#[tokio::test]
async fn are_capped() {
    let fail = async || -> Result<()> {
        let error = wharf_sdk::codec::invalid("TOO_MUCH", "all of it");
        Err((0..20).fold(error, |error, at| {
            error.with_issue(format!("at[{at}]"), "x".repeat(500))
        }))
    };
    let app = App::builder().route(Route::new("/", Channel::new().on("fail", fail)));
    let mut client = TestHost::new(app.build().unwrap()).connect("/").await;
    let error = client.call("fail", json!(null)).await.unwrap_err();
    assert_eq!(paths(&error).len(), 8);
    let issues = error["issues"].as_array().unwrap();
    assert_eq!(issues[0]["message"].as_str().map(str::len), Some(160));
}
