//! The contract's rows, by name: what the cases answer for.

/// One row of a table of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The table.
    pub table: &'static str,
    /// The row's name.
    pub name: &'static str,
    /// What it promises.
    pub promise: &'static str,
}

/// A case and the row that it proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The module in [`cases`](crate::cases).
    pub section: &'static str,
    /// The function.
    pub name: &'static str,
    /// The name of its row.
    pub row: &'static str,
}

/// Every row, in the contract's order.
pub const ROWS: &[Row] = &[
    row("Handshake", "unknown-path", "an unknown path is 404"),
    row(
        "Handshake",
        "unavailable",
        "shutting down, or a connection cap (app, route, peer address) full: 503 with `Retry-After`",
    ),
    row(
        "Handshake",
        "fallback",
        "not an upgrade, the route has an HTTP fallback: its response, any method",
    ),
    row("Handshake", "method", "not `GET`: 405 with `Allow: GET`"),
    row(
        "Handshake",
        "not-an-upgrade",
        "not an upgrade, no fallback: 426 with `Upgrade` and `Connection`",
    ),
    row(
        "Handshake",
        "version",
        "another `Sec-WebSocket-Version` than 13: 426 with 13",
    ),
    row(
        "Handshake",
        "key",
        "`Sec-WebSocket-Key` missing, repeated, or not base64 of 16 bytes: 400",
    ),
    row(
        "Handshake",
        "offers",
        "`Sec-WebSocket-Protocol` malformed or with a token twice: 400",
    ),
    row(
        "Handshake",
        "origin",
        "`Origin` present and not allowed: 403; none at all is allowed unless the policy says otherwise",
    ),
    row(
        "Handshake",
        "middleware-answers",
        "middleware answers without calling `next`: its response, untouched",
    ),
    row(
        "Handshake",
        "middleware-fails",
        "middleware returns an error: the mapper's response; unclassified is 500 without detail",
    ),
    row(
        "Handshake",
        "refusals-pass-back",
        "a refusal inside the chain passes back through it as a response; observers are told its reason",
    ),
    row(
        "Handshake",
        "extractors",
        "what a handler takes may wait and refuse: its error answers before the 101",
    ),
    row(
        "Handshake",
        "guarded-fallback",
        "an HTTP fallback may stand behind the route's middleware and authorization",
    ),
    row(
        "Handshake",
        "readable-refusals",
        "where a route says so, a refusal is a socket that closes with 4000 and the status",
    ),
    row(
        "Handshake",
        "middleware-panics",
        "middleware panics: 500, observers told, the server goes on",
    ),
    row(
        "Handshake",
        "upgrade-timeout",
        "the chain takes longer than the upgrade timeout: 504",
    ),
    row(
        "Handshake",
        "principal",
        "no principal where one is required: 401 with `WWW-Authenticate`; a scope missing: 403; nothing that authenticates: refused by `build()`",
    ),
    row(
        "Handshake",
        "protocol-required",
        "subprotocols required and none in common: 400, naming what the route speaks",
    ),
    row(
        "Handshake",
        "accepted",
        "otherwise 101 with one selected subprotocol or none, never an unoffered one, by the route's preference",
    ),
    row("Handshake", "order", "the first check that fails answers"),
    row(
        "Handshake",
        "problem",
        "error bodies are problem documents with a stable code; nothing internal leaks outside debug mode",
    ),
    row(
        "Handshake",
        "path",
        "patterns and percent-decoding mean the same everywhere",
    ),
    row(
        "Handshake",
        "bad-input",
        "malformed requests get a 4xx or a closed connection, never a 5xx, a hang or a crash",
    ),
    row("Messages", "data", "text and binary come as they were sent"),
    row(
        "Messages",
        "fragments",
        "fragments are reassembled; size and count are limited; empty ones cost nothing lasting",
    ),
    row(
        "Messages",
        "ping",
        "ping: answered with its payload, ahead of queued data, whether or not the handler reads; hidden unless asked for",
    ),
    row(
        "Messages",
        "pong",
        "pong: feeds the heartbeat; hidden unless asked for",
    ),
    row(
        "Messages",
        "close-in",
        "close: queued data is flushed, the close answered with its code, `read` ends with `Ok(None)`",
    ),
    row(
        "Messages",
        "unknown",
        "anything else is `Message::Unknown`, never dropped in silence",
    ),
    row(
        "Messages",
        "valid-first",
        "valid messages in the packet of a violation are delivered first",
    ),
    row(
        "Messages",
        "violation",
        "a violation: close 1002, error to observers",
    ),
    row(
        "Messages",
        "utf8",
        "invalid UTF-8 in text or in a close reason: close 1007",
    ),
    row(
        "Messages",
        "size",
        "a message over the limit: close 1009, never truncated, checked before it is held",
    ),
    row(
        "Messages",
        "write",
        "`write` queues in order; what was queued leaves when the handler yields",
    ),
    row(
        "Messages",
        "fairness",
        "a flood of anything, or a `write` in a loop that never waits: bounded turns, neighbours are served",
    ),
    row(
        "Messages",
        "control-write",
        "`write` of ping, pong, close or unknown: a typed error, nothing sent, the socket stays usable",
    ),
    row(
        "Messages",
        "outbound-size",
        "an outbound message over the limit: a typed error and close 1009",
    ),
    row(
        "Messages",
        "close",
        "`close` flushes, sends, waits under one deadline, drops; idempotent; refuses what may not be sent",
    ),
    row(
        "Messages",
        "after-end",
        "`read` and `write` after the end: `Ok(None)` and one typed error",
    ),
    row(
        "Messages",
        "vanished",
        "the peer vanishes: `Ok(None)`, outcome 1006, not clean",
    ),
    row(
        "Lives and ends",
        "returns",
        "the handler returns `Ok`: 1000",
    ),
    row(
        "Lives and ends",
        "fails-with-code",
        "the handler returns an error with code and reason: those",
    ),
    row(
        "Lives and ends",
        "fails",
        "the handler returns any other error: 1011, reason hidden unless debug",
    ),
    row(
        "Lives and ends",
        "panics",
        "the handler panics: 1011, caught, observers told, others unharmed",
    ),
    row(
        "Lives and ends",
        "idle",
        "idle timeout: 1001; off by default",
    ),
    row(
        "Lives and ends",
        "heartbeat",
        "heartbeat: each ping paired with its pong, the clock starts at the flush; no pong: dropped; runs while a write is stuck",
    ),
    row(
        "Lives and ends",
        "queue",
        "the send queue is full: wait, error, drop newest, drop oldest, or 1013; drops are surfaced",
    ),
    row(
        "Lives and ends",
        "shutdown",
        "server shutdown: handlers finish the message they are at, then 1001, in jittered batches under a deadline, then aborted; true counts; `closing()` and `on_drain`; a notice first",
    ),
    row(
        "Lives and ends",
        "credential",
        "the credential expires: 1008",
    ),
    row(
        "Lives and ends",
        "once",
        "every session ends exactly once, with one outcome, and everything it held is released",
    ),
    row(
        "Lives and ends",
        "cancel-safety",
        "`read` is cancel-safe; `write` is atomic once accepted",
    ),
    row(
        "Middleware, observers, errors",
        "chain",
        "first added is outermost; app, group, route; a closure is enough; headers can be added to any response",
    ),
    row(
        "Middleware, observers, errors",
        "observers",
        "observers hear `upgraded`, `rejected`, `closed`, `failed` with everything that is known",
    ),
    row(
        "Middleware, observers, errors",
        "isolation",
        "observers run in order, and one that panics harms nobody",
    ),
    row(
        "Middleware, observers, errors",
        "mapper",
        "an app-wide mapper turns errors into responses and close codes",
    ),
    row(
        "Messages with a meaning",
        "principals",
        "connections per principal: refused, or the newest wins; credentials are renewed, and verified again on an interval",
    ),
    row(
        "Messages with a meaning",
        "event-stream",
        "clients without sockets get server-sent events on the same route, where it says so",
    ),
    row(
        "Messages with a meaning",
        "events",
        "events: one reply for each id, whatever happens; policies, scopes and rates per event",
    ),
    row(
        "Messages with a meaning",
        "requests",
        "the server asks: the peer's reply, its error, or a timeout",
    ),
    row(
        "Messages with a meaning",
        "message-middleware",
        "middleware around every message and event: refuses before, hears of the outcome after, nested as for upgrades",
    ),
    row(
        "Compression",
        "compression-policy",
        "off by default; per app, group and route; contradictions are refused when the app is built",
    ),
    row(
        "Compression",
        "compression-offers",
        "the first offer that fits is taken, the answer is never more than it; none fits: no compression; malformed: 400",
    ),
    row(
        "Compression",
        "compression",
        "messages are compressed where it is worth it, and in order; what others send is inflated",
    ),
    row(
        "Compression",
        "compression-takeover",
        "context takeover in each direction, as agreed on",
    ),
    row(
        "Compression",
        "compression-bits",
        "the first reserved bit on the first frame of a data message only, and only where agreed on: 1002",
    ),
    row(
        "Compression",
        "compression-sizes",
        "limits and UTF-8 are checked while a message inflates: 1009 and 1007, whatever the ratio",
    ),
    row(
        "Compression",
        "compression-damage",
        "bytes that do not inflate: 1007, error to observers",
    ),
    row(
        "Compression",
        "compression-counts",
        "counts tell payloads and bytes of the connection; the write deadline is about the latter",
    ),
    row(
        "Compression",
        "compression-native",
        "the framework's own socket is handed inflated frames",
    ),
    row(
        "HTTP/2",
        "connect",
        "where there is HTTP/2, a socket is an extended CONNECT (RFC 8441): a 200 that switches nothing, with the same checks, and as many sockets on a connection as there are streams",
    ),
    row(
        "HTTP/2",
        "streams",
        "a stream that ends is a vanished peer, and one that is not read holds up no other",
    ),
    row(
        "HTTP/2",
        "goaway",
        "a shutdown begins with GOAWAY: sockets are closed with 1001, and what comes later goes elsewhere",
    ),
    row(
        "HTTP/2",
        "http2-abuse",
        "floods of resets, headers, settings and pings, and windows that never open, cost their sender the connection or nobody anything",
    ),
    row(
        "Beyond the tables",
        "sender",
        "senders: try, wait, latest of a key, gaps, queued bytes",
    ),
    row(
        "Beyond the tables",
        "limits",
        "first-message timeout, maximum age, rate limits, inheritance, contradictions refused",
    ),
    row(
        "Beyond the tables",
        "trait",
        "a handler on the trait, boxed or borrowed, does all that one on the socket does",
    ),
    row(
        "Beyond the tables",
        "native",
        "the framework's own socket, or a polite refusal",
    ),
    row(
        "Beyond the tables",
        "plain",
        "HTTP fallbacks, the route snapshot, the fixture's own reports",
    ),
    row(
        "Beyond the tables",
        "outside",
        "the app's document, and the inspector behind its door: sessions shown, followed, closed",
    ),
    row(
        "Beyond the tables",
        "interop",
        "a client that somebody else wrote",
    ),
];

const fn row(table: &'static str, name: &'static str, promise: &'static str) -> Row {
    Row {
        table,
        name,
        promise,
    }
}
