//! Servers on other libraries that compress, one module each.
//!
//! `deflate-peer <kind> <addr> [--nodelay] [--max-seconds <n>]`: `/echo` is plain, `/deflate`
//! compresses each message by itself, `/takeover` with what was said before.

#[allow(
    dead_code,
    unreachable_pub,
    reason = "shared with the servers of the bench, a library, which use all of it"
)]
#[path = "../../src/serve.rs"]
mod serve;
mod sockudo_ws;
mod yawc;

use std::io;

use serve::ServeOptions;

const USAGE: &str = "usage: deflate-peer <yawc|sockudo-ws> <addr> [--nodelay] [--max-seconds <n>]";

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let kind = args.next().ok_or_else(|| io::Error::other(USAGE))?;
    let options = ServeOptions::parse(args)?;
    options.limit_lifetime();
    match kind.as_str() {
        "yawc" => yawc::serve(&options),
        "sockudo-ws" => sockudo_ws::serve(&options),
        _ => Err(io::Error::other(USAGE)),
    }
}
