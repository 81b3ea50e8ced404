//! Negotiation, with any header and any policy.

use arbitrary::{Arbitrary, Unstructured};
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

use super::{Compression, parse_extensions};
use crate::policy::properties::likely;

/// Whatever is offered, the answer says no more than that, is the same when it is offered itself,
/// and is what a client of any policy takes if the offer was its own.
///
/// # Errors
///
/// When the bytes make no header.
pub fn compression_is_agreed_on(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let server = policy(u)?;
    let offer = header(offer(u)?)?;
    if let Ok(extensions) = parse_extensions(&offer)
        && let Some((params, answer)) = server.answer(&extensions)
    {
        let answer = header(answer.to_str().expect("text").to_owned())?;
        let again = parse_extensions(&answer).expect("an answer parses");
        let [accepted] = &again[..] else {
            panic!("one extension is accepted, not {again:?}");
        };
        let was_offered = extensions.iter().any(|offer| {
            offer.name == accepted.name
                && accepted.params.iter().all(|(name, value)| {
                    // In an offer that was declined it may be no window at all.
                    let bits = |value: &str| value.parse::<u8>().ok();
                    let offered = offer.params.iter().find(|(offered, _)| offered == name);
                    match (name.ends_with("_bits"), offered) {
                        (false, _) => value.is_none(),
                        (true, None) => false,
                        (true, Some((_, offered))) => {
                            let most = offered.as_deref().map_or(Some(15), bits);
                            let told = value.as_deref().and_then(bits).expect("a window");
                            most.is_some_and(|most| told <= most)
                        }
                    }
                })
        });
        assert!(was_offered, "{again:?} of {extensions:?}");
        let (same, _) = server.answer(&again).expect("it can be offered");
        assert_eq!(same, params);
    }

    let client = policy(u)?;
    let offer = header(client.offer().to_str().expect("text").to_owned())?;
    let extensions = parse_extensions(&offer).expect("an offer parses");
    let (here, answer) = server.answer(&extensions).expect("a plain offer fits");
    let there = client.accept(&header(answer.to_str().expect("text").to_owned())?);
    let there = there.expect("offered").expect("accepted");
    assert_eq!(here.ours.takeover, there.peers.takeover);
    assert_eq!(here.peers.takeover, there.ours.takeover);
    assert!(here.ours.window_bits <= there.peers.window_bits);
    assert!(there.ours.window_bits <= here.peers.window_bits);
    // Whatever a server says, a client does not panic.
    let _ = client.accept(&header(u.arbitrary::<&str>()?.to_owned())?);
    Ok(())
}

fn header(line: String) -> arbitrary::Result<HeaderMap> {
    let line = HeaderValue::try_from(line).map_err(|_| arbitrary::Error::IncorrectFormat)?;
    Ok([(SEC_WEBSOCKET_EXTENSIONS, line)].into_iter().collect())
}

fn policy(u: &mut Unstructured<'_>) -> arbitrary::Result<Compression> {
    Ok(Compression::new()
        .outbound_takeover(u.arbitrary()?)
        .inbound_takeover(u.arbitrary()?)
        .outbound_window_bits(u.int_in_range(9..=15)?)
        .inbound_window_bits(u.int_in_range(9..=15)?))
}

/// Offers as clients make them, more or less, and sometimes anything at all.
fn offer(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    if u.ratio(1, 16)? {
        return Ok(<&str>::arbitrary(u)?.to_owned());
    }
    let mut offers = Vec::new();
    for _ in 0..u.int_in_range(1..=3)? {
        let mut offer = likely(u, &["permessage-deflate", "x"])?.to_owned();
        for _ in 0..u.int_in_range(0..=4)? {
            let param = likely(
                u,
                &[
                    "server_no_context_takeover",
                    "client_no_context_takeover",
                    "server_max_window_bits",
                    "client_max_window_bits",
                ],
            )?;
            let value = likely(
                u,
                &["", "", "=8", "=9", "=12", "=15", "=\"1\\0\"", "=16", "=09"],
            )?;
            offer = format!("{offer}; {param}{value}");
        }
        offers.push(offer);
    }
    Ok(offers.join(u.choose(&[",", ", ", " , ,"])?))
}
