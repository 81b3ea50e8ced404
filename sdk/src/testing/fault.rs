//! What goes wrong at a client's end, on purpose.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::{
    client::TestSocket,
    line::{MASK, Pace},
};
use crate::wire::{OpCode, encode_client_frame};

/// Faults, each until [`resume`](TestSocket::resume), but for those that end the connection.
impl TestSocket {
    /// Stops reading, as a page whose script hangs: what the server writes fills the connection's
    /// buffer (64 KiB), then the server's queue, and pings go unanswered. Sending goes on.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wharf_sdk::{App, Configure, CloseCode, Result, Route, Socket, testing::*};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// async fn flood(mut socket: Socket) -> Result<()> {
    ///     loop {
    ///         socket.write(vec![0; 16 * 1024]).await?;
    ///     }
    /// }
    ///
    /// let recorder = Recorder::default();
    /// let app = App::builder()
    ///     .observer(recorder.clone())
    ///     .route(Route::new("/flood", flood).write_deadline(Duration::from_secs(10)))
    ///     .build()
    ///     .expect("valid");
    /// let mut client = TestHost::new(app).connect("/flood").await;
    ///
    /// client.stop_reading();
    /// tokio::time::sleep(Duration::from_secs(11)).await; // no time at all: it is paused
    ///
    /// assert_eq!(recorder.outcomes()[0].code, CloseCode::ABNORMAL);
    /// # }
    /// ```
    pub fn stop_reading(&mut self) {
        self.line.set_pace(Pace::Stopped);
    }

    /// Stops reading *and* sending, as a process that is suspended or a machine that is
    /// unplugged: the connection stays, and nothing comes any more. What is sent meanwhile is kept
    /// until [`resume`](Self::resume).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wharf_sdk::{App, Configure, CloseCode, Result, Route, Socket, testing::*};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # async fn echo(mut socket: Socket) -> Result<()> {
    /// #     while let Some(message) = socket.read().await? {
    /// #         socket.write(message).await?;
    /// #     }
    /// #     Ok(())
    /// # }
    /// let app = App::builder().route(Route::new("/echo", echo)).build().expect("valid");
    /// let mut client = TestHost::new(app).connect("/echo").await;
    ///
    /// client.stall();
    /// client.send_text("late").await;
    /// tokio::time::sleep(Duration::from_secs(30)).await;
    /// client.resume().await;
    /// client.expect_text("late").await;
    ///
    /// client.stall(); // and longer than the heartbeat's 25 s and 20 s allow
    /// tokio::time::sleep(Duration::from_secs(60)).await;
    /// client.resume().await;
    /// client.expect_end().await;
    /// # }
    /// ```
    pub fn stall(&mut self) {
        self.line.set_pace(Pace::Stopped);
        self.line.hold_back(true);
    }

    /// Reads at most `bytes` in each `interval`, as a client behind a bad line.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use wharf_sdk::{App, Result, Route, Socket, testing::*};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # async fn picture(mut socket: Socket) -> Result<()> {
    /// #     socket.write(vec![0; 10_000]).await
    /// # }
    /// # let app = App::builder().route(Route::new("/picture", picture)).build().expect("valid");
    /// # let host = TestHost::new(app);
    /// let mut client = host.connect("/picture").await; // 10,000 bytes
    /// client.read_slowly(1_000, Duration::from_secs(1));
    ///
    /// let begin = tokio::time::Instant::now();
    /// client.expect_binary(&[0; 10_000]).await;
    /// assert!(begin.elapsed() >= Duration::from_secs(10));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `bytes` or `interval` is zero: that is [`stop_reading`](Self::stop_reading).
    pub fn read_slowly(&mut self, bytes: usize, interval: Duration) {
        assert!(
            bytes > 0 && !interval.is_zero(),
            "a slow reader reads something in some time; stop_reading() reads nothing"
        );
        self.line.set_pace(Pace::slow(bytes, interval));
    }

    /// Ends [`stop_reading`](Self::stop_reading), [`stall`](Self::stall) and
    /// [`read_slowly`](Self::read_slowly): sends what was kept, and reads as fast as it can again.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: the fault is over, and what was not sent yet goes out with the next call.
    pub async fn resume(&mut self) {
        self.line.set_pace(Pace::Full);
        self.line.hold_back(false);
        self.flush().await;
    }

    /// Drops the connection without a close frame, as a process that is killed. The server's
    /// system notices it at once; for a peer that nobody notices, see [`stall`](Self::stall).
    ///
    /// ```
    /// # use wharf_sdk::{App, CloseCode, Result, Route, Socket, testing::*};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # async fn wait(mut socket: Socket) -> Result<()> {
    /// #     socket.read().await.map(drop)
    /// # }
    /// let recorder = Recorder::default();
    /// let app = App::builder().observer(recorder.clone()).route(Route::new("/wait", wait));
    /// let host = TestHost::new(app.build().expect("valid"));
    ///
    /// host.connect("/wait").await.vanish();
    /// tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    ///
    /// let outcome = &recorder.outcomes()[0];
    /// assert_eq!((outcome.code, outcome.clean), (CloseCode::ABNORMAL, false));
    /// # }
    /// ```
    pub fn vanish(&mut self) {
        self.line.cut();
    }

    /// Breaks the protocol. For a violation that has no name here, see
    /// [`send_frame`](Self::send_frame) and [`send_raw`](Self::send_raw).
    ///
    /// ```
    /// # use wharf_sdk::{App, Result, Route, Socket, testing::*};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// # async fn wait(mut socket: Socket) -> Result<()> {
    /// #     socket.read().await.map(drop)
    /// # }
    /// # let app = App::builder().route(Route::new("/wait", wait)).build().expect("valid");
    /// # let host = TestHost::new(app);
    /// for violation in Violation::ALL {
    ///     let mut client = host.connect("/wait").await;
    ///     client.violate(violation).await;
    ///     client.expect_close(violation.close_code()).await;
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`send_raw`](Self::send_raw).
    pub async fn violate(&mut self, violation: Violation) {
        self.send_raw(&violation.bytes()).await;
    }
}

/// A way to break the protocol.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A text frame without a mask.
    Unmasked,
    /// A text frame with a reserved bit set, though no extension was negotiated.
    ReservedBit,
    /// A frame whose opcode has no meaning.
    ReservedOpcode,
    /// A continuation of no message.
    LoneContinuation,
    /// A message that begins inside another.
    Interleaved,
    /// A ping of 126 bytes.
    LongPing,
    /// A ping in fragments.
    FragmentedPing,
    /// A close frame with half a code.
    ShortClose,
    /// A close frame with a code that may not be sent.
    UnsendableCloseCode,
    /// Text that is not UTF-8.
    InvalidUtf8,
}

impl Violation {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Unmasked,
        Self::ReservedBit,
        Self::ReservedOpcode,
        Self::LoneContinuation,
        Self::Interleaved,
        Self::LongPing,
        Self::FragmentedPing,
        Self::ShortClose,
        Self::UnsendableCloseCode,
        Self::InvalidUtf8,
    ];

    /// The code that a session closes with: 1007 for bad text, 1002 for the rest.
    pub const fn close_code(self) -> u16 {
        match self {
            Self::InvalidUtf8 => 1007,
            _ => 1002,
        }
    }

    /// What goes over the wire.
    pub fn bytes(self) -> Bytes {
        const FIN: u8 = 0x80;
        let frames: &[(u8, &[u8])] = match self {
            Self::Unmasked => return Bytes::from_static(&[FIN | 0x1, 2, b'h', b'i']),
            Self::ReservedBit => &[(FIN | 0x40 | OpCode::Text.bits(), b"hi")],
            Self::ReservedOpcode => &[(FIN | 0x3, b"hi")],
            Self::LoneContinuation => &[(FIN | OpCode::Continuation.bits(), b"hi")],
            Self::Interleaved => &[
                (OpCode::Text.bits(), b"hi"),
                (FIN | OpCode::Text.bits(), b"hi"),
            ],
            Self::LongPing => &[(FIN | OpCode::Ping.bits(), &[0; 126])],
            Self::FragmentedPing => &[(OpCode::Ping.bits(), b"hi")],
            Self::ShortClose => &[(FIN | OpCode::Close.bits(), &[3])],
            Self::UnsendableCloseCode => &[(FIN | OpCode::Close.bits(), &1006_u16.to_be_bytes())],
            Self::InvalidUtf8 => &[(FIN | OpCode::Text.bits(), &[0xFF])],
        };
        let mut bytes = BytesMut::new();
        for (first, payload) in frames {
            encode_client_frame(&mut bytes, *first, MASK, payload);
        }
        bytes.freeze()
    }
}
