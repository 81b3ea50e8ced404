//! The clients that Wharf's is measured against, one module each, and Wharf's own.
//!
//! `dial <kind> <url> <links> <in flight> <seconds>` opens so many links and measures itself:
//! with nothing in flight what an idle link holds, otherwise what a message there and back costs.
//! `dial reconnect <url> <times>` comes back as often to a server that ends every link at once. It
//! prints one line of JSON, which `clients` reads.

mod fastwebsockets;
mod load;
mod reconnect;
mod tokio_tungstenite;
mod tokio_websockets;
mod wharf;

use std::io;

use load::{Load, Opening};
use wharf_bench::serve::runtime;

const USAGE: &str = "usage: dial \
    <wharf|wharf-socket|tokio-tungstenite|tokio-websockets|fastwebsockets> \
    <url> <links> <in flight> <seconds> | dial reconnect <url> <times>";

fn main() -> io::Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let line = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["reconnect", url, times] => {
            runtime()?.block_on(reconnect::measure(url, number(times)?))?
        }
        [kind, url, links, in_flight, seconds] => {
            let load = Load {
                url: url.to_owned(),
                links: number(links)?,
                in_flight: number(in_flight)?,
                seconds: number(seconds)?,
            };
            let open: Opening = match kind {
                "wharf" => wharf::open,
                "wharf-socket" => wharf::open_socket,
                "tokio-tungstenite" => tokio_tungstenite::open,
                "tokio-websockets" => tokio_websockets::open,
                "fastwebsockets" => fastwebsockets::open,
                _ => return Err(io::Error::other(USAGE)),
            };
            runtime()?.block_on(load.measure(open))?
        }
        _ => return Err(io::Error::other(USAGE)),
    };
    println!("{line}");
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse()
        .map_err(|_| io::Error::other(format!("not a number: {text}\n{USAGE}")))
}
