import { Link, type LinkOptions, type Outcome } from "../../src/index.js";
import { FakeClock, settled } from "./clock.js";
import { FakeNetwork } from "./network.js";
import { FakeSocket } from "./socket.js";

export const URL = "ws://server.example/";

/** A link in a world of its own: nothing happens unless the test says so. */
export class World {
  readonly clock = new FakeClock();
  readonly network = new FakeNetwork();
  readonly sockets: FakeSocket[] = [];
  readonly link: Link;
  /** What the link told, in short, in its order. */
  readonly told: string[] = [];
  readonly outcomes: Outcome[] = [];
  /** What every random number is. Full waits, unless the test wants others. */
  random = 1;

  constructor(options: Partial<LinkOptions> = {}) {
    const sockets = this.sockets;
    class Socket extends FakeSocket {
      constructor(url: string, protocols?: string[]) {
        super(url, protocols);
        sockets.push(this);
      }
    }
    this.link = new Link({
      url: URL,
      WebSocket: Socket,
      clock: this.clock,
      network: this.network,
      random: () => this.random,
      ...options,
    });
    this.link.on("connected", ({ again }) =>
      this.told.push(again ? "connected again" : "connected"),
    );
    this.link.on("gap", () => this.told.push("gap"));
    this.link.on("disconnected", (outcome) => {
      this.outcomes.push(outcome);
      this.told.push(outcome.final ? `ended ${outcome.code}` : `disconnected ${outcome.code}`);
    });
  }

  /** The socket that was made last. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (!socket) throw new Error("nothing was dialled");
    return socket;
  }

  get outcome(): Outcome {
    const outcome = this.outcomes.at(-1);
    if (!outcome) throw new Error("nothing has ended");
    return outcome;
  }

  /** Opens the link, and the server accepts. */
  async connect(): Promise<FakeSocket> {
    this.link.open();
    await settled();
    this.socket.accepts();
    return this.socket;
  }

  /** The wait before the next dial passes. */
  async redials(): Promise<FakeSocket> {
    const before = this.sockets.length;
    await this.clock.pass(this.clock.next ?? 0);
    if (this.sockets.length === before) throw new Error("the link did not dial");
    return this.socket;
  }

  /** The connection breaks, and there is a new one. */
  async reconnects(): Promise<FakeSocket> {
    this.socket.breaks();
    (await this.redials()).accepts();
    return this.socket;
  }
}
