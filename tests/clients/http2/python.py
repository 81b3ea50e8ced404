"""Python's h2 against the fixture: sockets as streams of one connection (RFC 8441).

    python.py https://127.0.0.1:9103

The server's certificate is not checked: it is one of a moment. Prints `ok <name>` or
`FAILED <name>: <why>` per check. Exits 1 if one failed.
"""

import json
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
import h2.settings

DEADLINE = 10.0  # seconds, for every single wait
CHECKS = []


def check(function):
    CHECKS.append((function.__name__.replace("_", " "), function))
    return function


def frame(opcode, payload):
    """A masked frame of less than 126 bytes."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked


class Connection:
    """A connection; what its streams have brought is kept apart."""

    def __init__(self, base):
        address = urlsplit(base)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection((address.hostname, address.port), DEADLINE)
        self.socket = context.wrap_socket(plain, server_hostname=address.hostname)
        assert self.socket.selected_alpn_protocol() == "h2", "HTTP/2 is not settled"
        self.authority = address.netloc
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.headers, self.data, self.ended, self.settled, self.goaway = {}, {}, set(), False, False
        self.until(lambda: self.settled)

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def until(self, is_so):
        while not is_so():
            received = self.socket.recv(65536)
            assert received, "the server ended the connection"
            for event in self.h2.receive_data(received):
                self.take(event)
            self.flush()

    def take(self, event):
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.settled = True
        elif isinstance(event, h2.events.ResponseReceived):
            self.headers[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaway = True

    def request(self, path, method="CONNECT", protocol="websocket", more=(("sec-websocket-version", "13"),)):
        """Asks, and waits for the answer's head."""
        stream = self.h2.get_next_available_stream_id()
        headers = [(":method", method), (":scheme", "https"), (":authority", self.authority), (":path", path)]
        if method == "CONNECT":
            headers.append((":protocol", protocol))
        self.h2.send_headers(stream, headers + list(more), end_stream=method != "CONNECT")
        self.flush()
        self.until(lambda: stream in self.headers)
        return stream, self.headers[stream]

    def send(self, stream, opcode, payload):
        self.h2.send_data(stream, frame(opcode, payload))
        self.flush()

    def read(self, stream):
        """The next frame of less than 126 bytes."""
        def is_whole():
            data = self.data.get(stream, b"")
            return len(data) >= 2 and len(data) >= 2 + data[1]

        self.until(is_whole)
        data = self.data[stream]
        end = 2 + data[1]
        self.data[stream] = data[end:]
        return data[0] & 0x0F, data[2:end]

    def echoes(self, stream, text):
        self.send(stream, 1, text.encode())
        came = self.read(stream)
        assert came == (1, text.encode()), f"{came} for {text}"

    def problem(self, stream):
        self.until(lambda: stream in self.ended)
        return json.loads(self.data[stream])["code"]


@check
def the_server_offers_extended_connect(connection):
    code = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
    assert connection.h2.remote_settings[code] == 1


@check
def a_socket_echoes_answers_pings_and_closes(connection):
    stream, answer = connection.request("/echo")
    assert answer[":status"] == "200", answer
    for name in ("upgrade", "connection", "sec-websocket-accept"):
        assert name not in answer, answer
    connection.echoes(stream, "hello")
    connection.send(stream, 9, b"ping")
    assert connection.read(stream) == (10, b"ping")
    connection.send(stream, 8, (1000).to_bytes(2, "big"))
    assert connection.read(stream) == (8, (1000).to_bytes(2, "big"))
    connection.until(lambda: stream in connection.ended)


@check
def a_subprotocol_is_settled(connection):
    offered = ("sec-websocket-protocol", "chat.v1, chat.v2")
    stream, answer = connection.request("/protocols", more=(("sec-websocket-version", "13"), offered))
    assert answer["sec-websocket-protocol"] == "chat.v2", answer
    assert connection.read(stream) == (1, b"chat.v2")


@check
def fifty_sockets_share_the_connection(connection):
    streams = [connection.request("/echo")[0] for _ in range(50)]
    for stream in streams:
        connection.send(stream, 1, str(stream).encode())
    for stream in reversed(streams):
        assert connection.read(stream) == (1, str(stream).encode())
    for stream in streams:
        connection.h2.reset_stream(stream)
    connection.flush()


@check
def a_reset_stream_leaves_the_others_alone(connection):
    gone, _ = connection.request("/echo")
    stays, _ = connection.request("/echo")
    connection.h2.reset_stream(gone)
    connection.echoes(stays, "still here")


@check
def refusals_are_problem_documents(connection):
    cases = [
        (dict(path="/echo", method="GET"), "405", "WHARF_METHOD"),
        (dict(path="/echo", more=()), "426", "WHARF_VERSION"),
        (dict(path="/echo", protocol="connect-udp"), "501", "WHARF_NOT_AN_UPGRADE"),
        (dict(path="/nowhere"), "404", "WHARF_NOT_FOUND"),
    ]
    for request, status, code in cases:
        stream, answer = connection.request(**request)
        said = (answer[":status"], connection.problem(stream))
        assert said == (status, code), f"{said} for {request}"


def main():
    base = sys.argv[1].rstrip("/")
    failed = 0
    for name, function in CHECKS:
        try:
            connection = Connection(base)
            function(connection)
            connection.socket.close()
            print(f"ok {name}")
        except Exception as error:  # a check may fail in any way
            failed += 1
            print(f"FAILED {name}: {error!r}")
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
