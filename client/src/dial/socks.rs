//! Through a SOCKS5 proxy ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928), passwords by
//! [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929)).

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::Host;
use wharf_sdk::{Error, ErrorKind, Result};

use super::proxy::{Proxy, refused};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;

/// Asks the proxy at the other end of `io` for the way to `host` and `port`.
pub(super) async fn open<IO>(
    io: &mut IO,
    proxy: &Proxy,
    host: &Host<String>,
    port: u16,
) -> Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let methods: &[u8] = match proxy.credentials {
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, PASSWORD],
        None => &[VERSION, 1, NO_AUTHENTICATION],
    };
    io.write_all(methods).await?;
    match (read::<2, _>(io).await?, &proxy.credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, PASSWORD], Some((user, password))) => log_in(io, user, password).await?,
        ([VERSION, _], _) => {
            return Err(refused(
                "the SOCKS proxy wants credentials; give a user and a password in its URL",
            ));
        }
        _ => return Err(not_socks()),
    }

    let mut request = vec![VERSION, 1, 0];
    match host {
        Host::Ipv4(ip) => {
            request.push(1);
            request.extend(ip.octets());
        }
        Host::Ipv6(ip) => {
            request.push(4);
            request.extend(ip.octets());
        }
        Host::Domain(name) => {
            let length = u8::try_from(name.len()).map_err(|_| {
                Error::new(
                    ErrorKind::InvalidInput,
                    "WHARF_URL",
                    "the host's name is over the 255 bytes that SOCKS takes",
                )
            })?;
            request.extend([3, length]);
            request.extend(name.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    io.write_all(&request).await?;

    let [version, reply, _, kind] = read(io).await?;
    if version != VERSION {
        return Err(not_socks());
    }
    if reply != 0 {
        return Err(refused(format!(
            "the SOCKS proxy opened no way: {}; check host and port, and what it allows",
            reason(reply)
        )));
    }
    // The address that it dials from; nobody needs it.
    let address_bytes = match kind {
        1 => 4,
        3 => usize::from(read::<1, _>(io).await?[0]),
        4 => 16,
        _ => return Err(not_socks()),
    };
    let mut address = [0; 255 + 2];
    read_into(io, &mut address[..address_bytes + 2]).await
}

async fn log_in<IO>(io: &mut IO, user: &[u8], password: &[u8]) -> Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = vec![1];
    for part in [user, password] {
        // At most 255 by the check of the proxy's URL.
        request.push(part.len() as u8);
        request.extend(part);
    }
    io.write_all(&request).await?;
    match read::<2, _>(io).await? {
        [_, 0] => Ok(()),
        _ => Err(refused(
            "the SOCKS proxy does not take the user and password; check them",
        )),
    }
}

async fn read<const N: usize, IO: AsyncRead + Unpin>(io: &mut IO) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    read_into(io, &mut bytes).await?;
    Ok(bytes)
}

async fn read_into<IO: AsyncRead + Unpin>(io: &mut IO, bytes: &mut [u8]) -> Result<()> {
    io.read_exact(bytes).await.map(drop).map_err(|cause| {
        refused("the SOCKS proxy ended the connection; check its address").with_source(cause)
    })
}

fn not_socks() -> Error {
    refused("what listens at the proxy's address does not speak SOCKS5; check it")
}

fn reason(reply: u8) -> &'static str {
    match reply {
        1 => "it failed",
        2 => "its rules forbid it",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the server refused the connection",
        6 => "the way was too long",
        7 => "it does not do this",
        8 => "it does not know this kind of address",
        _ => "for a reason that has no name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said to a proxy that answers this, and what comes of it.
    async fn ask(url: &str, host: &str, answers: &[u8]) -> (Result<()>, Vec<u8>) {
        let (mut client, mut server) = tokio::io::duplex(4096);
        server.write_all(answers).await.expect("room");
        let proxy = Proxy::parse(url).expect("valid");
        let host = Host::parse(host).expect("a host");
        let opened = {
            // No more answers come: what waits for one hears the end.
            let mut half = tokio::io::join(answers, &mut client);
            open(&mut half, &proxy, &host, 443).await
        };
        drop(client);
        let mut said = Vec::new();
        server.read_to_end(&mut said).await.expect("said");
        (opened, said)
    }

    const GOOD: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

    #[tokio::test]
    async fn names_are_left_to_the_proxy() {
        let answers = [&[5, 0], GOOD].concat();
        let (opened, said) = ask("socks5://proxy", "a.io", &answers).await;
        opened.expect("opened");
        assert_eq!(said, b"\x05\x01\x00\x05\x01\x00\x03\x04a.io\x01\xbb");
    }

    #[tokio::test]
    async fn users_log_in() {
        let answers = [&[5, 2, 1, 0], GOOD].concat();
        let (opened, said) = ask("socks5://u:pw@proxy", "[::1]", &answers).await;
        opened.expect("opened");
        assert_eq!(&said[..13], b"\x05\x02\x00\x02\x01\x01u\x02pw\x05\x01\x00");
        assert_eq!(said[13], 4);
    }

    #[tokio::test]
    async fn refusals_are_typed() {
        for answers in [
            &[][..],
            b"HTTP/1.1 400",
            &[5, 0xFF],
            &[5, 2],
            &[5, 0, 5, 5, 0, 1],
            &[5, 0, 5, 0, 0, 9],
            &[5, 0, 5, 0, 0, 3, 200, 1],
        ] {
            let (opened, _) = ask("socks5://proxy", "a.io", answers).await;
            assert_eq!(opened.expect_err("refused").code(), "WHARF_PROXY");
        }
        let (opened, _) = ask("socks5://u:pw@proxy", "a.io", &[5, 2, 1, 1]).await;
        assert_eq!(opened.expect_err("refused").code(), "WHARF_PROXY");
    }
}
