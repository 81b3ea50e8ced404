//! What the system is told about connections.

use std::time::Duration;

#[cfg(target_os = "linux")]
use socket2::SockRef;
use tokio::net::TcpStream;

/// How much the kernel queues of what has not left yet. By itself it takes megabytes for a peer
/// that does not read, whatever the session's own queue is limited to; what is under way, and with
/// it the speed over long distances, is not limited by this.
#[cfg(target_os = "linux")]
const UNSENT_BYTES: u32 = 128 * 1024;

/// Prepares a connection: small messages leave at once, and large ones wait on our side, where they
/// are counted.
pub fn prepare(stream: &TcpStream) {
    // Wharf gathers writes itself; waiting for more in the kernel only adds latency.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES);
}

/// Lets the system go on for so long, and not for minutes, with what a peer has not taken of a
/// connection that is closed.
pub fn give_up_later(stream: &TcpStream, timeout: Duration) {
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(stream).set_tcp_user_timeout(Some(timeout));
    #[cfg(not(target_os = "linux"))]
    let _ = (stream, timeout);
}
