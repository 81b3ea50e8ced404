"""Checks a Wharf fixture server with the Python package `websockets`.

    client.py ws://127.0.0.1:9101

Prints `ok <name>` or `FAILED <name>: <why>` per check. Exits 1 if one failed.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

DEADLINE = 10.0  # seconds, for every single wait
MEBIBYTE = 1024 * 1024
CHECKS = []


def check(function):
    CHECKS.append((function.__name__.replace("_", "-"), function))
    return function


async def within(awaitable):
    try:
        return await asyncio.wait_for(awaitable, DEADLINE)
    except asyncio.TimeoutError:
        raise AssertionError(f"nothing within {DEADLINE:.0f} s") from None


@asynccontextmanager
async def session(url, **options):
    """A connection that is closed politely at the end."""
    websocket = await within(
        connect(
            url,
            proxy=None,
            max_size=None,
            # No ping of its own: the checks decide when one is sent.
            ping_interval=None,
            # Never gives up waiting for the server to close the TCP connection, so that a server
            # which does not is caught by our deadline instead of being forgiven.
            close_timeout=None,
            **options,
        )
    )
    try:
        yield websocket
        await within(websocket.close())
    finally:
        websocket.transport.abort()  # does nothing if the check ended well


def equal(actual, expected, what):
    if actual != expected:
        shown = [repr(value)[:80] for value in (actual, expected)]
        raise AssertionError(f"{what} is {shown[0]}, expected {shown[1]}")


async def echoes(websocket, message):
    await within(websocket.send(message))
    echo = await within(websocket.recv())
    equal(type(echo), type(message), "the type of the echo")
    equal(len(echo), len(message), "the length of the echo")
    equal(echo, message, "the echo")


@check
async def text_echo(base):
    async with session(f"{base}/echo") as websocket:
        for text in ("", "hello", "Grüße, 世界 🌍"):
            await echoes(websocket, text)


@check
async def binary_echo(base):
    async with session(f"{base}/echo") as websocket:
        for data in (b"", bytes(range(256))):
            await echoes(websocket, data)


@check
async def one_mebibyte_echo(base):
    async with session(f"{base}/echo") as websocket:
        await echoes(websocket, "0123456789abcdef" * (MEBIBYTE // 16))
        await echoes(websocket, bytes(range(256)) * (MEBIBYTE // 256))


@check
async def burst_comes_back_in_order(base):
    async with session(f"{base}/echo") as websocket:
        for number in range(500):
            await within(websocket.send(str(number)))
        for number in range(500):
            equal(await within(websocket.recv()), str(number), "the echo")


@check
async def fragments(base):
    async with session(f"{base}/echo") as websocket:
        await within(websocket.send(["frag", "", "men", "ted"]))
        equal(await within(websocket.recv()), "fragmented", "the echo")
        await within(websocket.send([b"\x00", b"\xff", b"\x80"]))
        equal(await within(websocket.recv()), b"\x00\xff\x80", "the echo")


@check
async def ping_between_fragments(base):
    async with session(f"{base}/echo") as websocket:

        async def parts():
            yield "first "
            # The server must answer in the middle of the message: its end waits for the pong.
            await within(await within(websocket.ping(b"in between")))
            yield "second"

        # Two waits in one: the pong's own deadline runs out first.
        await asyncio.wait_for(websocket.send(parts()), 2 * DEADLINE)
        equal(await within(websocket.recv()), "first second", "the echo")


@check
async def ping(base):
    async with session(f"{base}/echo") as websocket:
        for payload in (b"", b"hello", bytes(125)):
            await within(await within(websocket.ping(payload)))
        await echoes(websocket, "still here")


async def talks_compressed(base, path, keeps_context):
    async with session(f"{base}{path}") as websocket:
        extensions = websocket.protocol.extensions
        equal([extension.name for extension in extensions], ["permessage-deflate"], "extensions")
        [deflate] = extensions
        equal(deflate.remote_no_context_takeover, not keeps_context, "no takeover by the server")
        equal(deflate.local_no_context_takeover, not keeps_context, "no takeover by the client")
        rows = json.dumps([{"id": number, "name": f"row {number}"} for number in range(500)])
        for _ in range(3):
            for message in ("", "short", rows, rows.encode(), rows * 50):
                await echoes(websocket, message)
        await within(websocket.send([rows[:100], "", rows[100:]]))
        equal(await within(websocket.recv()), rows, "the echo")


@check
async def compressed(base):
    await talks_compressed(base, "/deflate", keeps_context=False)


@check
async def compressed_with_takeover(base):
    await talks_compressed(base, "/deflate-takeover", keeps_context=True)


@check
async def compressed_over_the_limit(base):
    async with session(f"{base}/deflate-limit") as websocket:
        await echoes(websocket, "x" * 1024)
        await within(websocket.send("x" * 100_000))
        await server_closes(websocket, 1009)


@check
async def answers_the_heartbeat(base):
    async with session(f"{base}/heartbeat") as websocket:
        # Long enough for several pings; `websockets` answers them by itself.
        await asyncio.sleep(1.5)
        await echoes(websocket, "still here")


@check
async def server_speaks_first(base):
    async with session(f"{base}/greet") as websocket:
        equal(await within(websocket.recv()), "welcome", "the first message")
        await echoes(websocket, "hello")


@check
async def path_query_and_header(base):
    headers = {"x-client-name": "python"}
    async with session(f"{base}/rooms/caf%C3%A9?a=1&b=%20", additional_headers=headers) as websocket:
        seen = json.loads(await within(websocket.recv()))
        equal(seen.get("room"), "café", "room")
        equal(seen.get("query"), "a=1&b=%20", "query")
        equal(seen.get("name"), "python", "name")


@check
async def subprotocol(base):
    async with session(f"{base}/protocols", subprotocols=["chat.v1", "chat.v2"]) as websocket:
        equal(websocket.subprotocol, "chat.v2", "the subprotocol")
        equal(await within(websocket.recv()), "chat.v2", "what the server says it selected")
        await echoes(websocket, "hello")


@check
async def subprotocol_none(base):
    async with session(f"{base}/protocols") as websocket:
        equal(websocket.subprotocol, None, "the subprotocol")
        equal(await within(websocket.recv()), "none", "what the server says it selected")


@check
async def refused_upgrade(base):
    try:
        async with session(f"{base}/teapot"):
            raise AssertionError("the server upgraded a request that its middleware refuses")
    except InvalidStatus as refusal:
        equal(refusal.response.status_code, 418, "the status")
        equal(refusal.response.headers.get("x-reason"), "teapot", "the header x-reason")


async def client_closes(base, code, reason):
    async with session(f"{base}/echo") as websocket:
        await echoes(websocket, "hello")
        await within(websocket.close(code, reason))
        answer = websocket.protocol.close_rcvd
        equal(answer and answer.code, code, "the code in the server's answer")
        # The contract promises the code; a server may leave the reason out, but not invent one.
        assert answer.reason in ("", reason), f"the server's answer has reason {answer.reason!r}"


@check
async def close_by_client_1000(base):
    await client_closes(base, 1000, "")


@check
async def close_by_client_4321_with_reason(base):
    await client_closes(base, 4321, "the client says bye")


async def server_closes(websocket, code, reason=None):
    try:
        unexpected = await within(websocket.recv())
        raise AssertionError(f"expected a close, got the message {unexpected!r:.80}")
    except ConnectionClosed:
        pass
    await within(websocket.wait_closed())
    closed = websocket.protocol
    assert closed.close_rcvd is not None, "the connection was dropped without a close frame"
    equal(closed.close_rcvd.code, code, "the close code")
    assert closed.close_rcvd_then_sent, "the client closed first"
    if reason is not None:
        equal(closed.close_rcvd.reason, reason, "the close reason")


@check
async def close_by_server_4001_with_reason(base):
    async with session(f"{base}/close/4001") as websocket:
        await server_closes(websocket, 4001, "bye")


@check
async def close_when_the_handler_returns(base):
    async with session(f"{base}/return") as websocket:
        await server_closes(websocket, 1000)


@check
async def close_when_the_handler_fails(base):
    async with session(f"{base}/fail") as websocket:
        await within(websocket.send("go"))
        await server_closes(websocket, 1011)


@check
async def close_when_the_handler_fails_with_a_code(base):
    async with session(f"{base}/fail/4010") as websocket:
        await within(websocket.send("go"))
        await server_closes(websocket, 4010, "custom")


async def main(base):
    failed = 0
    for name, function in CHECKS:
        try:
            await function(base)
            print(f"ok {name}", flush=True)
        except Exception as error:
            failed += 1
            kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
            print(f"FAILED {name}: {kind}{error}", flush=True)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1].rstrip("/"))))
