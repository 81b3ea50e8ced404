import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type WebSocket } from "ws";

/** What a room keeps; outlives the server that is restarted. */
export class History {
  readonly messages: unknown[] = [];

  constructor(readonly epoch: string) {}

  get position(): string {
    return `${this.epoch}:${this.messages.length}`;
  }

  /** What came after the position; undefined if that is of another history. */
  after(position: string): unknown[] | undefined {
    const [epoch, offset] = position.split(":");
    return epoch === this.epoch ? this.messages.slice(Number(offset)) : undefined;
  }
}

/**
 * A server with a room at `/room`, events at `/events`, an echo at `/echo` and a page at `/`, made
 * of npm `ws`. It can be stopped without a goodbye and started again at the same place.
 */
export class RoomServer {
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({ noServer: true });
  readonly #history: History;
  /** The path and query of each upgrade, in order. */
  readonly upgrades: string[] = [];
  /** Answers an upgrade with this status in place of a connection. */
  refuses: number | undefined;

  static async start(history: History, port = 0): Promise<RoomServer> {
    const server = new RoomServer(history);
    server.#http.listen(port, "127.0.0.1");
    await once(server.#http, "listening");
    return server;
  }

  private constructor(history: History) {
    this.#history = history;
    this.#http = createServer((request, response) => {
      const file = FILES[request.url ?? ""];
      response.writeHead(file ? 200 : 404, {
        "content-type": `${file?.type ?? "text/plain"}; charset=utf-8`,
      });
      response.end(file?.read());
    });
    this.#http.on("upgrade", (request: IncomingMessage, tcp, head) => {
      this.upgrades.push(request.url ?? "");
      if (this.refuses)
        tcp.end(`HTTP/1.1 ${this.refuses} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      else
        this.#sockets.handleUpgrade(request, tcp, head, (socket) =>
          this.#serve(socket, request.url ?? ""),
        );
    });
  }

  get port(): number {
    return (this.#http.address() as AddressInfo).port;
  }

  url(path: string): string {
    return `ws://127.0.0.1:${this.port}${path}`;
  }

  publish(message: unknown): void {
    this.#history.messages.push(message);
    this.#tell({ message, position: this.#history.position });
  }

  /** Says goodbye to everybody. */
  closeAll(code: number, reason: string): void {
    for (const socket of this.#sockets.clients) socket.close(code, reason);
  }

  /** Ends as a crash does: nobody is told. */
  async crash(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.close();
    this.#http.closeAllConnections();
    await once(this.#http, "close");
  }

  #tell(value: unknown): void {
    for (const socket of this.#sockets.clients) socket.send(JSON.stringify(value));
  }

  #serve(socket: WebSocket, address: string): void {
    const { pathname, searchParams } = new URL(address, "ws://here");
    if (pathname === "/room") this.#welcome(socket, searchParams.get("since"));
    socket.on("message", (data: Buffer, isBinary) => {
      if (pathname === "/echo") socket.send(data, { binary: isBinary });
      if (pathname === "/events") this.#answer(socket, JSON.parse(data.toString()));
    });
  }

  #welcome(socket: WebSocket, since: string | null): void {
    const missed = since === null ? undefined : this.#history.after(since);
    const resumed = since === null ? {} : { resumed: missed !== undefined };
    const { epoch, messages, position } = this.#history;
    socket.send(JSON.stringify({ welcome: { session: "s", node: "n", position, ...resumed } }));
    let offset = messages.length - (missed?.length ?? 0);
    for (const message of missed ?? []) {
      offset += 1;
      socket.send(JSON.stringify({ message, position: `${epoch}:${offset}` }));
    }
  }

  /** `double` has a reply, `fail` has an error, and for `ask` the server asks back first. */
  #answer(socket: WebSocket, { event, data, id, reply }: Record<string, unknown>): void {
    const say = (value: unknown): void => socket.send(JSON.stringify(value));
    if (event === "double") say({ reply: id, data: Number(data) * 2 });
    if (event === "fail") say({ reply: id, error: { code: "NO", message: "not today" } });
    if (event === "ask") say({ event: "question", data, id: `question ${String(id)}` });
    if (typeof reply === "string") say({ reply: Number(reply.split(" ")[1]), data });
  }
}

const FILES: Record<string, { type: string; read: () => string | Buffer }> = {
  "/": { type: "text/html", read: () => "<!doctype html><title>wharf-client</title>" },
  "/wharf-client.js": {
    type: "text/javascript",
    // From where this is compiled to.
    read: () => readFileSync(new URL("../../dist/wharf-client.js", import.meta.url)),
  },
};
