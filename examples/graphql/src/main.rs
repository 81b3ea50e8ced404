//! GraphQL over WebSockets, in both of its protocols: `graphql-transport-ws`, which the npm package
//! `graphql-ws` speaks, and the older `graphql-ws` of `subscriptions-transport-ws`.
//!
//!     cargo run --manifest-path examples/graphql/Cargo.toml
//!     // const client = createClient({ url: "ws://127.0.0.1:3000/graphql" });
//!     // client.iterate({ query: "subscription { added { title } }" })
//!
//! `books.rs` is the schema, and knows no sockets; `protocol.rs` puts any schema on a socket, and
//! `operations.rs` bounds what runs on one.

mod books;
mod operations;
mod protocol;

use std::time::Duration;

use wharf::{App, RateLimit, Result, Route, State, Subprotocols, prelude::*};

use crate::{books::Schema, protocol::SUBPROTOCOLS};

async fn graphql(State(schema): State<Schema>, socket: Socket) -> Result<()> {
    protocol::serve(schema, socket).await
}

/// The app, as the tests use it too.
fn app() -> Result<App> {
    App::builder()
        .state(books::schema())
        .route(
            Route::new("/graphql", graphql)
                .subprotocols(Subprotocols::required(SUBPROTOCOLS))
                // A query costs work: its size is bounded here, its depth by the schema.
                .max_message_bytes(64 * 1024)
                .rate_limit(RateLimit::per_second(100))
                .max_age(Duration::from_secs(24 * 3600)),
        )
        .build()
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let server = wharf::bind(app()?, &address).await?;
    println!("listening on {}", server.local_addr());
    server.run().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wharf::testing::{TestHost, TestSocket};

    use super::*;

    async fn send(client: &mut TestSocket, message: Value) {
        client.send_text(&message.to_string()).await;
    }

    async fn begun(protocol: &str) -> Result<TestSocket> {
        let host = TestHost::new(app()?);
        let mut client = host.connect("/graphql").protocols([protocol]).await;
        send(&mut client, json!({ "type": "connection_init" })).await;
        let ack: Value = client.expect_json().await;
        assert_eq!(ack["type"], "connection_ack");
        Ok(client)
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_is_answered_in_the_words_of_its_protocol() -> Result<()> {
        for (protocol, begin, answer) in [
            ("graphql-transport-ws", "subscribe", "next"),
            ("graphql-ws", "start", "data"),
        ] {
            let mut client = begun(protocol).await?;
            let query = json!({ "query": "{ books { title } }" });
            send(
                &mut client,
                json!({ "type": begin, "id": "1", "payload": query }),
            )
            .await;
            let books: Value = client.expect_json().await;
            assert_eq!(
                (&books["type"], &books["id"]),
                (&json!(answer), &json!("1"))
            );
            assert_eq!(books["payload"]["data"]["books"], json!([]));
            let end: Value = client.expect_json().await;
            assert_eq!(end, json!({ "type": "complete", "id": "1" }));
        }
        Ok(())
    }

    async fn listen(client: &mut TestSocket, begin: &str, id: usize) {
        let query = json!({ "query": "subscription { added { title } }" });
        let message = json!({ "type": begin, "id": id.to_string(), "payload": query });
        send(client, message).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_operation_too_many_is_refused_and_the_others_go_on() -> Result<()> {
        for (protocol, begin, end) in [
            ("graphql-transport-ws", "subscribe", "complete"),
            ("graphql-ws", "start", "stop"),
        ] {
            let mut client = begun(protocol).await?;
            for id in 0..=operations::AT_ONCE {
                listen(&mut client, begin, id).await;
            }
            let refused: Value = client.expect_json().await;
            assert_eq!(
                (&refused["type"], &refused["id"]),
                (&json!("error"), &json!(operations::AT_ONCE.to_string()))
            );
            assert!(refused["payload"].to_string().contains("at most 32"));
            // One that is over makes room, for one of the same id too.
            send(&mut client, json!({ "type": end, "id": "0" })).await;
            listen(&mut client, begin, 0).await;
            assert_eq!(
                client.expect_json::<Value>().await,
                json!({ "type": "complete", "id": "0" })
            );
            client.expect_silence(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_that_is_taken_closes_as_its_protocol_says() -> Result<()> {
        let mut client = begun("graphql-transport-ws").await?;
        for _ in 0..2 {
            listen(&mut client, "subscribe", 1).await;
        }
        client.expect_close(4409).await;
        // In the older protocol the second takes the first one's place.
        let mut client = begun("graphql-ws").await?;
        for _ in 0..2 {
            listen(&mut client, "start", 1).await;
        }
        client.expect_silence(Duration::from_secs(1)).await;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn what_breaks_the_protocol_closes_with_its_code() -> Result<()> {
        for (message, code) in [
            ("no message", 4400),
            (r#"{"type":"connection_init"}"#, 4429),
        ] {
            let mut client = begun("graphql-transport-ws").await?;
            client.send_text(message).await;
            client.expect_close(code).await;
        }
        let host = TestHost::new(app()?);
        let connect = || host.connect("/graphql").protocols(["graphql-transport-ws"]);
        let mut hasty = connect().await;
        let query = json!({ "query": "{ books { title } }" });
        send(
            &mut hasty,
            json!({ "type": "subscribe", "id": "1", "payload": query }),
        )
        .await;
        hasty.expect_close(4401).await;
        connect().await.expect_close(4408).await;
        host.connect("/graphql").expect_rejected(400).await;
        Ok(())
    }
}
