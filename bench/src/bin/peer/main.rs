//! The hand-written servers that Wharf is measured against, one module each.
//!
//! `peer <kind> <addr> [--nodelay] [--tls <folder>] [--max-seconds <n>]`

mod actix;
mod axum;
mod axum_server;
mod fastwebsockets;
mod tokio_tungstenite;
mod tokio_websockets;

use std::io;

use wharf_bench::serve::ServeOptions;

const USAGE: &str = "usage: peer \
    <axum|axum-server|actix|tokio-tungstenite|tokio-websockets|fastwebsockets> \
    <addr> [--nodelay] [--tls <folder>] [--max-seconds <n>]";

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().ok_or_else(|| io::Error::other(USAGE))?;
    let options = ServeOptions::parse(args)?;
    options.limit_lifetime();
    match kind.as_str() {
        "axum" => axum::serve(&options),
        "axum-server" => axum_server::serve(&options),
        "actix" => actix::serve(&options),
        "tokio-tungstenite" => tokio_tungstenite::serve(&options),
        "tokio-websockets" => tokio_websockets::serve(&options),
        "fastwebsockets" => fastwebsockets::serve(&options),
        _ => Err(io::Error::other(USAGE)),
    }
}
