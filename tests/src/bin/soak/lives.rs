//! The peers: short lives, most of which end badly.

use std::{io, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use wharf_conformance::client::Frame;

/// One of these each, so that every kind is as likely.
const PATHS: [&str; 7] = [
    "/echo", "/echo", "/limit", "/panic", "/fail", "/push", "/deaf",
];

/// Connects, does a random number of random things, and is gone.
pub(crate) async fn live(address: &str, random: &mut Random) -> io::Result<()> {
    let path = random.of(&PATHS);
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    if random.below(40) == 0 {
        // Gone in the middle of the head.
        return stream.write_all(&request.as_bytes()[..60]).await;
    }
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 4096];
    for _ in 0..random.below(20) {
        match random.below(16) {
            0 => stream.write_all(&Frame::ping("ping").to_bytes()).await?,
            1 => stream.write_all(&fragment().to_bytes()).await?,
            2 => stream.write_all(&violation(random).to_bytes()).await?,
            3 => {
                let close = Frame::close(1000, "").to_bytes();
                stream.write_all(&close).await?;
            }
            4 => return stream.write_all(&fragment().to_bytes()[..3]).await,
            5 => {
                // A reset instead of an end.
                stream.set_zero_linger()?;
                return Ok(());
            }
            6 => sleep(Duration::from_millis(random.below(2000) as u64)).await,
            7 => {
                let flood = Frame::binary(vec![7; 1024]).to_bytes().repeat(100);
                stream.write_all(&flood).await?;
            }
            _ => {
                let size = *random.of(&[1, 100, 5_000, 60_000]);
                let message = Frame::binary(vec![7; size]).to_bytes();
                stream.write_all(&message).await?;
            }
        }
        if random.below(3) > 0 {
            let read = stream.read(&mut buffer);
            if let Ok(Ok(0)) = timeout(Duration::from_millis(50), read).await {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn fragment() -> Frame {
    Frame::text("a fragment that is never ended").unfinished()
}

fn violation(random: &mut Random) -> Frame {
    match random.below(5) {
        0 => Frame::new(3, ""),
        1 => Frame::text("bare").unmasked(),
        2 => Frame::continuation("of nothing"),
        3 => Frame::new(1, Bytes::from_static(b"\xff")),
        _ => Frame::binary("").announcing(1 << 40),
    }
}

/// xorshift: the same seed lives the same lives.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(seed ^ (number + 1).wrapping_mul(0x9E37_79B9))
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }
}
