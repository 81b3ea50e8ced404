//! What is offered, and what of it is taken; where the driver has no compression, nothing is.

use super::compression::{offering, rows};
use crate::{Client, Host, Site};

/// What `/deflate` accepts, whatever else was offered: no takeover, as its policy says.
const NO_TAKEOVER: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// Each of these offers, header line by header line, is answered by this or, `None`, not taken; the
/// socket opens in any case, and works.
async fn check(host: &dyn Host, path: &str, cases: &[(&[&str], Option<&str>)]) {
    let site = Site::fixture(host).await;
    for (lines, expected) in cases {
        let answer = site.request(offering(path, lines)).await.expect(101);
        let expected = expected.filter(|_| host.capabilities().compression);
        let came = answer.header("sec-websocket-extensions");
        assert_eq!(came, expected, "{lines:?}");
        let mut client = Client::new(answer);
        client.expect_echo(&rows(300)).await;
        client.close().await;
    }
}

/// The plainest offer is taken on the route's terms.
pub async fn plain(host: &dyn Host) {
    check(
        host,
        "/deflate",
        &[(&["permessage-deflate"], Some(NO_TAKEOVER))],
    )
    .await;
}

/// The first that fits is taken: others before it are passed over, be it in one line or several.
pub async fn first_that_fits(host: &dyn Host) {
    let cases: &[(&[&str], _)] = &[
        (
            &["permessage-deflate; unknown, permessage-deflate"],
            Some(NO_TAKEOVER),
        ),
        (
            &["x", " permessage-deflate ;client_max_window_bits"],
            Some(NO_TAKEOVER),
        ),
        (
            &[
                "permessage-deflate; server_max_window_bits=77",
                "permessage-deflate; server_max_window_bits=10, permessage-deflate",
            ],
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 server_max_window_bits=10",
            ),
        ),
    ];
    check(host, "/deflate", cases).await;
}

/// All four parameters, with values and without, quoted or not.
pub async fn parameters(host: &dyn Host) {
    let cases: &[(&[&str], _)] = &[
        (
            &["permessage-deflate; client_max_window_bits"],
            Some("permessage-deflate; client_max_window_bits=12"),
        ),
        (
            &["permessage-deflate; server_max_window_bits=\"10\"; client_max_window_bits=\"9\""],
            Some("permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"),
        ),
        (
            &[
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
               client_max_window_bits=15",
            ],
            Some(
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
                 client_max_window_bits=12",
            ),
        ),
    ];
    check(host, "/deflate-takeover", cases).await;
}

/// A client that does not say that it listens is told no window: it keeps no context then.
pub async fn never_more_than_offered(host: &dyn Host) {
    let cases: &[(&[&str], _)] = &[(
        &["permessage-deflate"],
        Some("permessage-deflate; client_no_context_takeover"),
    )];
    check(host, "/deflate-takeover", cases).await;
}

/// Parameters that nobody knows decline their offer.
pub async fn unknown_parameters(host: &dyn Host) {
    let cases: &[(&[&str], _)] = &[
        (&["permessage-deflate; unknown"], None),
        (&["permessage-deflate; server_max_window_bitz=10"], None),
    ];
    check(host, "/deflate", cases).await;
}

/// So do repeated ones.
pub async fn repeated_parameters(host: &dyn Host) {
    let cases: &[(&[&str], _)] = &[
        (
            &["permessage-deflate; client_max_window_bits=9; client_max_window_bits=9"],
            None,
        ),
        (
            &["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
            None,
        ),
    ];
    check(host, "/deflate", cases).await;
}

/// So do values where none belong, and none where one belongs.
pub async fn ill_valued_parameters(host: &dyn Host) {
    let cases: &[(&[&str], _)] = &[
        (&["permessage-deflate; server_max_window_bits"], None),
        (&["permessage-deflate; server_no_context_takeover=1"], None),
        (&["permessage-deflate; client_no_context_takeover=no"], None),
    ];
    check(host, "/deflate", cases).await;
}

/// Other extensions, none, and a route that compresses nothing.
pub async fn nothing_to_agree_on(host: &dyn Host) {
    check(
        host,
        "/deflate",
        &[(&["permessage-bzip2"], None), (&[], None)],
    )
    .await;
    check(host, "/echo", &[(&["permessage-deflate"], None)]).await;
}

/// A header that does not parse is 400.
pub async fn malformed(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for line in [
        "",
        ";",
        "permessage-deflate;",
        "permessage-deflate; =1",
        "a b",
        "a; b=\"1",
    ] {
        site.request(offering("/deflate", &[line]))
            .await
            .expect(400);
    }
}

/// A window out of range declines its offer, whatever the number looks like
/// (CVE-2026-2229: it made an inflater that was never asked whether it can be, and ended the process).
pub async fn cve_2026_2229(host: &dyn Host) {
    let mut offers = Vec::new();
    for bits in [
        "0",
        "1",
        "7",
        "16",
        "255",
        "256",
        "264",
        "4294967304",
        "18446744073709551624",
        "-9",
        "+9",
        "09",
        "9.0",
        "0x9",
        "nine",
    ] {
        for side in ["server", "client"] {
            offers.push(format!("permessage-deflate; {side}_max_window_bits={bits}"));
        }
    }
    let lines: Vec<[&str; 1]> = offers.iter().map(|offer| [&**offer]).collect();
    let cases: Vec<(&[&str], _)> = lines.iter().map(|line| (&line[..], None)).collect();
    check(host, "/deflate", &cases).await;
}
