// Node's http2 against the fixture: sockets as streams of one connection (RFC 8441).
//
//   node node.mjs https://127.0.0.1:9103
//
// The server's certificate is not checked: it is one of a moment.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http2 from "node:http2";

const base = process.argv[2];
const session = http2.connect(base, { rejectUnauthorized: false });
session.setTimeout(20_000, () => {
  console.error("nothing came for 20 s");
  process.exit(1);
});
await once(session, "remoteSettings");

/** Sends a request; resolves to its stream and its answer's headers. */
async function request(headers) {
  const stream = session.request(headers, { endStream: headers[":method"] !== "CONNECT" });
  const [answer] = await once(stream, "response");
  return { stream, answer };
}

function connect(path, more = {}) {
  return request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": path,
    "sec-websocket-version": "13",
    ...more,
  });
}

/** A masked frame of less than 126 bytes. */
function frame(opcode, payload) {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload).map((byte, at) => byte ^ mask[at % 4]);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | masked.length]), mask, masked]);
}

/** A socket: yields frames of less than 126 bytes. */
async function open(path, more) {
  const { stream, answer } = await connect(path, more);
  assert.equal(answer[":status"], 200);
  let inbound = Buffer.alloc(0);
  const read = async () => {
    const missing = () => inbound.length < 2 || inbound.length < 2 + inbound[1];
    while (missing()) {
      const [chunk] = await once(stream, "data");
      inbound = Buffer.concat([inbound, chunk]);
    }
    const end = 2 + inbound[1];
    const [opcode, payload] = [inbound[0] & 0x0f, inbound.subarray(2, end)];
    inbound = inbound.subarray(end);
    return { opcode, payload };
  };
  const echo = async (text) => {
    stream.write(frame(1, text));
    const came = await read();
    assert.equal(came.payload.toString(), text);
  };
  return { stream, answer, read, echo, send: (...of) => stream.write(frame(...of)) };
}

async function problem(stream) {
  let body = "";
  for await (const chunk of stream) body += chunk;
  return JSON.parse(body).code;
}

const checks = {
  async "the server offers extended CONNECT"() {
    assert.equal(session.remoteSettings.enableConnectProtocol, true);
  },
  async "a socket echoes, and its answer says nothing of the connection"() {
    const socket = await open("/echo");
    for (const name of ["upgrade", "connection", "sec-websocket-accept"]) {
      assert.equal(socket.answer[name], undefined);
    }
    await socket.echo("hello");
    socket.send(9, "ping");
    const pong = await socket.read();
    assert.deepEqual([pong.opcode, pong.payload.toString()], [10, "ping"]);
    socket.send(8, Buffer.from([0x03, 0xe8]));
    const close = await socket.read();
    assert.deepEqual([close.opcode, close.payload.readUInt16BE()], [8, 1000]);
    await once(socket.stream, "end");
  },
  async "a subprotocol is settled"() {
    const socket = await open("/protocols", { "sec-websocket-protocol": "chat.v1, chat.v2" });
    assert.equal(socket.answer["sec-websocket-protocol"], "chat.v2");
    socket.stream.close(http2.constants.NGHTTP2_CANCEL);
  },
  async "fifty sockets share the connection"() {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => open("/echo")));
    await Promise.all(sockets.map((socket, number) => socket.echo(`number ${number}`)));
    for (const socket of sockets) socket.stream.close(http2.constants.NGHTTP2_CANCEL);
  },
  async "a reset stream leaves the others alone"() {
    const [gone, stays] = [await open("/echo"), await open("/echo")];
    gone.stream.close(http2.constants.NGHTTP2_CANCEL);
    await stays.echo("still here");
    stays.stream.close(http2.constants.NGHTTP2_CANCEL);
  },
  async "a GET is told to CONNECT"() {
    const { stream, answer } = await request({ ":method": "GET", ":path": "/echo" });
    assert.deepEqual([answer[":status"], answer.allow], [405, "CONNECT"]);
    assert.equal(await problem(stream), "WHARF_METHOD");
  },
  async "a fallback answers a GET"() {
    const { stream, answer } = await request({ ":method": "GET", ":path": "/fallback" });
    assert.equal(answer[":status"], 200);
    stream.resume();
    await once(stream, "end");
  },
  async "a version that is missing is asked for"() {
    const { stream, answer } = await request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":path": "/echo",
    });
    assert.deepEqual([answer[":status"], answer["sec-websocket-version"]], [426, "13"]);
    assert.equal(await problem(stream), "WHARF_VERSION");
  },
  async "another protocol is not implemented"() {
    const { stream, answer } = await connect("/echo", { ":protocol": "connect-udp" });
    assert.equal(answer[":status"], 501);
    assert.equal(await problem(stream), "WHARF_NOT_AN_UPGRADE");
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
session.destroy();
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
