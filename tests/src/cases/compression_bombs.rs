//! Bombs that brought other implementations down, by the names that they were given. The client's
//! half of them is in the tests of the client.

use super::compression::{DEFLATED, offer, open};
use crate::{
    Client, Host, Site,
    client::{Frame, opcode},
};

/// More than any of the fixture's routes takes.
const MUCH: usize = 16 << 20;

/// Compressed on a connection of its own, so that it refers to nothing.
async fn bomb(host: &dyn Host, site: &Site) -> Option<Vec<u8>> {
    let mut client = open(host, site, "/deflate").await?;
    let bomb = client.deflate(&vec![0; MUCH]);
    client.close().await;
    Some(bomb)
}

/// It ends with 1009, told once, and the neighbour notices nothing.
async fn ends(site: &Site, mut client: Client, mut neighbour: Client) {
    client.expect_close(1009).await;
    neighbour.expect_echo("still here").await;
    neighbour.close().await;
    let failed = site.events.only("failed").await;
    failed.expect_error("WHARF_MESSAGE_TOO_LARGE", "session");
}

/// One message of a few KiB that inflates to 16 MiB, where 1 MiB is allowed. Python `websockets`
/// inflated first and looked afterwards.
pub async fn cve_2018_1000518(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(bomb) = bomb(host, &site).await else {
        return;
    };
    let neighbour = site.open("/echo").await;
    let mut client = site.open_with(offer("/deflate")).await;
    client.send(Frame::binary(bomb).reserved(DEFLATED)).await;
    ends(&site, client, neighbour).await;
}

/// Frames that each are within the limit, as they go over the connection and together; inflated
/// they are not. Bandit had its limit on frames alone.
pub async fn cve_2026_39804(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(bomb) = bomb(host, &site).await else {
        return;
    };
    let neighbour = site.open("/echo").await;
    let mut client = site.open_with(offer("/deflate-limit")).await;
    let mut frames: Vec<_> = bomb[..1024]
        .chunks(128)
        .map(|piece| Frame::continuation(piece.to_vec()).unfinished())
        .collect();
    frames[0].opcode = opcode::BINARY;
    frames[0].rsv = DEFLATED;
    client.send_together(frames).await;
    ends(&site, client, neighbour).await;
}

/// A bomb that never ends its message, sent byte by byte as far as it is taken. undici's client
/// kept all that came out until the last frame.
pub async fn cve_2026_1526(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(bomb) = bomb(host, &site).await else {
        return;
    };
    let neighbour = site.open("/echo").await;
    let mut client = site.open_with(offer("/deflate-limit")).await;
    let frame = Frame::binary(bomb).reserved(DEFLATED).unfinished();
    for byte in frame.to_bytes().iter().take(64) {
        client.send_raw(&[*byte]).await;
    }
    ends(&site, client, neighbour).await;
}

/// A bomb with damage behind it, in the same packet: the first of the two is what ends it, and the
/// second finds nobody whom it could bring down.
pub async fn cve_2026_85024(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let Some(bomb) = bomb(host, &site).await else {
        return;
    };
    let neighbour = site.open("/echo").await;
    let mut client = site.open_with(offer("/deflate-limit")).await;
    let mut damaged = bomb[..512].to_vec();
    damaged.extend([0xFF; 512]);
    let more = Frame::binary(vec![0xFF; 100]).reserved(DEFLATED);
    client
        .send_together([
            Frame::binary(damaged).reserved(DEFLATED),
            more.clone(),
            more,
        ])
        .await;
    ends(&site, client, neighbour).await;
}
