//! What both sides speak.

use wharf_sdk::{
    Configure, Result, Route, Socket, State, Subprotocols,
    http::{HeaderValue, header},
    middleware::from_fn,
};

use crate::{Answer, Host, Notes, Request, Site, client::Client, fixture::echo};

/// The route's preference decides among the client's offers, in whatever order they come.
pub async fn preference(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for (offers, selected) in [
        ("chat.v1", "chat.v1"),
        ("chat.v2", "chat.v2"),
        ("chat.v1, chat.v2", "chat.v2"),
        ("other,chat.v1 ,\tanother", "chat.v1"),
    ] {
        for path in ["/protocols", "/protocols-required"] {
            expect_selected(site.request(offering(path, &[offers])).await, selected).await;
        }
    }
}

/// Offers over several header lines count as one list.
pub async fn several_lines(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for lines in [
        &["chat.v1", "chat.v2"][..],
        &["other", "x, chat.v2"],
        &["chat.v2", "chat.v1"],
    ] {
        expect_selected(site.request(offering("/protocols", lines)).await, "chat.v2").await;
    }
}

/// Without a common one, where none is required, the socket opens without any.
pub async fn none_in_common(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for request in [
        Request::upgrade("/protocols"),
        offering("/protocols", &["other"]),
        offering("/protocols", &["CHAT.V1"]),
        offering("/echo", &["chat.v1"]),
    ] {
        let answer = site.request(request.clone()).await.expect(101);
        assert_eq!(
            answer.header("sec-websocket-protocol"),
            None,
            "for {request:?}"
        );
        if request.target == "/protocols" {
            Client::new(answer).expect_text("none").await;
        }
    }
}

/// Without a common one, where one is required, the answer is 400 and names what is spoken.
pub async fn required(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for request in [
        Request::upgrade("/protocols-required"),
        offering("/protocols-required", &["other"]),
    ] {
        let answer = site
            .request(request)
            .await
            .expect_problem(400, "WHARF_SUBPROTOCOL_REQUIRED");
        let body = answer.text();
        assert!(
            body.contains("chat.v2") && body.contains("chat.v1"),
            "{body}"
        );
    }
}

/// Malformed or repeated offers are 400, on every route.
pub async fn malformed(host: &dyn Host) {
    let site = Site::fixture(host).await;
    for lines in [
        &[""][..],
        &[","],
        &["a,,b"],
        &["a,"],
        &["a b"],
        &["a;b"],
        &["\"a\""],
        &["chat.v1, chat.v1"],
        &["chat.v1", "chat.v1"],
        &["ok", ""],
    ] {
        for path in ["/protocols", "/echo"] {
            let answer = site.request(offering(path, lines)).await;
            answer.expect_problem(400, "WHARF_INVALID_SUBPROTOCOL");
        }
    }
    let not_text = Request::upgrade("/echo").with("Sec-WebSocket-Protocol", b"a\xFF".to_vec());
    site.request(not_text)
        .await
        .expect_problem(400, "WHARF_INVALID_SUBPROTOCOL");
}

/// Middleware sees the offers in the client's order, may choose among them, or choose none.
pub async fn middleware_chooses(host: &dyn Host) {
    let (notes, mut noted) = Notes::new();
    let chooses = from_fn(async |mut context, next| {
        let offers = context.offered_subprotocols().join(" ");
        if let Some(notes) = context.state::<Notes>() {
            notes.add(offers);
        }
        let choice = context.header("x-choice").map(str::to_owned);
        context.choose_subprotocol(choice.as_deref())?;
        Ok(next.run(context).await)
    });
    let tells = async |State(notes): State<Notes>, mut socket: Socket| -> Result<()> {
        notes.add(socket.subprotocol().unwrap_or("none"));
        crate::fixture::echo_on(&mut socket).await
    };
    let site = Site::of(host, |app| {
        let route = Route::new("/choice", tells)
            .middleware(chooses)
            .subprotocols(Subprotocols::optional(["alpha"]));
        app.state(notes).route(route)
    })
    .await;
    let request = || offering("/choice", &["zeta, alpha", "beta"]);

    let answer = site
        .request(request().with("X-Choice", "beta"))
        .await
        .expect(101);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("beta"));
    noted.expect("zeta alpha beta").await;
    noted.expect("beta").await;

    let answer = site.request(request()).await.expect(101);
    assert_eq!(answer.header("sec-websocket-protocol"), None);
    noted.expect("zeta alpha beta").await;
    noted.expect("none").await;

    let answer = site.request(request().with("X-Choice", "gamma")).await;
    answer.expect_problem(400, "WHARF_SUBPROTOCOL_NOT_OFFERED");
}

/// Nothing that was not selected reaches the 101, not even a header that middleware sets.
pub async fn never_unoffered(host: &dyn Host) {
    let meddles = from_fn(async |context, next| {
        let mut answer = next.run(context).await;
        let headers = answer.headers_mut();
        headers.append(
            header::SEC_WEBSOCKET_PROTOCOL,
            HeaderValue::from_static("never"),
        );
        headers.append("x-passed", HeaderValue::from_static("yes"));
        Ok(answer)
    });
    let route = Route::new("/echo", echo)
        .middleware(meddles)
        .subprotocols(Subprotocols::optional(["chat.v1"]));
    let site = Site::of(host, |app| app.route(route)).await;
    let answer = site
        .request(offering("/echo", &["chat.v1, other"]))
        .await
        .expect(101);
    assert_eq!(answer.header("sec-websocket-protocol"), Some("chat.v1"));
    assert_eq!(answer.header("x-passed"), Some("yes"));
    let answer = site.request(Request::upgrade("/echo")).await.expect(101);
    assert_eq!(answer.header("sec-websocket-protocol"), None);
}

fn offering(path: &str, lines: &[&str]) -> Request {
    lines.iter().fold(Request::upgrade(path), |request, line| {
        request.with("Sec-WebSocket-Protocol", *line)
    })
}

async fn expect_selected(answer: Answer, selected: &str) {
    let answer = answer.expect(101);
    assert_eq!(
        answer.header("sec-websocket-protocol"),
        Some(selected),
        "in {answer:?}"
    );
    let mut client = Client::new(answer);
    client.expect_text(selected).await;
    client.close().await;
}
