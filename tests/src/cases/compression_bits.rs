//! The reserved bits: the first is for the first frame of a compressed message, and for nothing
//! else. Each lie is 1002, and told to the observers.

use super::compression::{DEFLATED, open};
use crate::{
    Client, Host, Site,
    client::{Frame, opcode},
};

async fn refuse(site: &Site, mut client: Client, frames: Vec<Frame>) {
    client.send_together(frames).await;
    client.expect_close(1002).await;
    let failed = site.events.only("failed").await;
    failed.expect_error("WHARF_RESERVED_BITS", "session");
}

/// Where compression was agreed on, these frames break the rules.
async fn check(host: &dyn Host, frames: Vec<Frame>) {
    let site = Site::fixture(host).await;
    if let Some(client) = open(host, &site, "/deflate").await {
        refuse(&site, client, frames).await;
    }
}

/// On a ping.
pub async fn on_a_ping(host: &dyn Host) {
    check(host, vec![Frame::ping("").reserved(DEFLATED)]).await;
}

/// On a pong.
pub async fn on_a_pong(host: &dyn Host) {
    check(host, vec![Frame::pong("").reserved(DEFLATED)]).await;
}

/// On a close.
pub async fn on_a_close(host: &dyn Host) {
    check(host, vec![Frame::close(1000, "").reserved(DEFLATED)]).await;
}

/// On a further fragment of a plain message.
pub async fn on_a_continuation(host: &dyn Host) {
    let start = Frame::text("a").unfinished();
    let frames = vec![start, Frame::continuation("b").reserved(DEFLATED)];
    check(host, frames).await;
}

/// On a further fragment of a compressed one.
pub async fn on_a_compressed_continuation(host: &dyn Host) {
    let start = Frame::binary(vec![0xf2, 0x48]).reserved(DEFLATED);
    let rest = Frame::continuation(vec![0xcd, 0xc9, 0xc9, 0x07, 0x00]).reserved(DEFLATED);
    check(host, vec![start.unfinished(), rest]).await;
}

/// The second and the third, alone.
pub async fn other_bits(host: &dyn Host) {
    for bits in [1, 2, 3] {
        check(host, vec![Frame::text("a").reserved(bits)]).await;
    }
}

/// The first, with others beside it.
pub async fn beside_other_bits(host: &dyn Host) {
    for bits in [5, 6, 7] {
        check(host, vec![Frame::text("a").reserved(bits)]).await;
    }
}

/// Where nothing was agreed on, though the route would compress.
pub async fn where_nothing_was_agreed_on(host: &dyn Host) {
    let site = Site::fixture(host).await;
    let client = site.open("/deflate").await;
    let hello = Frame::new(opcode::TEXT, vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    refuse(&site, client, vec![hello.reserved(DEFLATED)]).await;
}
