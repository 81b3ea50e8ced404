//! One connection to a server, or to one of a cluster.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::{Client, ConnectOptions, Event, ServerAddr, jetstream};
use bytes::Bytes;
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use tokio::{sync::mpsc, time::timeout};
use wharf_hub::bus::retry_pause;
use wharf_sdk::Result;

use crate::{Builder, error};

pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) has_jetstream: bool,
    /// What the client tells of the connection; taken once.
    pub(crate) events: Arc<Mutex<Option<mpsc::UnboundedReceiver<Event>>>>,
}

impl Connection {
    pub(crate) async fn open(builder: &Builder) -> Result<Self> {
        let (teller, events) = mpsc::unbounded_channel();
        let longest = builder.retry_within;
        let options = match &builder.credentials {
            Some(path) => ConnectOptions::with_credentials_file(path)
                .await
                .map_err(error::credentials)?,
            None => ConnectOptions::new(),
        };
        let mut options = with_url(options, &builder.url)?;
        if let Some(path) = &builder.ca_file {
            options = options.add_root_certificates(path.clone());
        }
        let connecting = options
            .connection_timeout(builder.timeout)
            .request_timeout(Some(builder.timeout))
            // The link looks for itself whether the server is there.
            .ping_interval(Duration::from_secs(5))
            .max_reconnects(None)
            .reconnect_delay_callback(move |attempts| {
                let before = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX);
                retry_pause(before, longest)
            })
            .event_callback(move |event| {
                // Told after the bus has gone, nobody listens.
                let _ = teller.send(event);
                std::future::ready(())
            })
            .connect(&*builder.url);
        let client = connecting.await.map_err(|cause| error::connect(&cause))?;
        if !client.is_server_compatible(2, 9, 0) {
            let version = client.server_info().version;
            return Err(error::too_old(&version, "2.9"));
        }
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(builder.timeout);
        let has_jetstream = has_jetstream(&client, builder.timeout).await;
        Ok(Self {
            client,
            jetstream,
            has_jetstream,
            events: Arc::new(Mutex::new(Some(events))),
        })
    }
}

/// Takes user and password from the URL, or a token, which the client does not do by itself.
fn with_url(options: ConnectOptions, url: &str) -> Result<ConnectOptions> {
    let servers: Vec<ServerAddr> = url
        .split(',')
        .map(|server| server.trim().parse())
        .collect::<std::io::Result<_>>()
        .map_err(|_| error::url())?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let Some((server, user)) = servers
        .iter()
        .find_map(|server| Some((server, server.username()?)))
    else {
        return Ok(options);
    };
    Ok(match server.password() {
        Some(password) => options.user_and_password(plain(user), plain(password)),
        None => options.token(plain(user)),
    })
}

/// Whether JetStream is on for this account. Asked by hand: the client expects more of the answer
/// than older servers say.
async fn has_jetstream(client: &Client, limit: Duration) -> bool {
    let asking = client.request("$JS.API.INFO", Bytes::new());
    match timeout(limit, asking).await {
        Ok(Ok(answer)) => !String::from_utf8_lossy(&answer.payload).contains(r#""error":"#),
        _ => false,
    }
}

/// To the server and back: then it has taken everything that was sent before, and everything that it
/// had sent until then has come. `None` if it does not answer in time.
pub(crate) async fn round_trip(client: &Client, limit: Duration) -> Option<()> {
    let inbox = client.new_inbox();
    let going = async {
        let mut echo = client.subscribe(inbox.clone()).await.ok()?;
        client.publish(inbox, Bytes::new()).await.ok()?;
        echo.next().await.map(drop)
    };
    timeout(limit, going).await.ok().flatten()
}
