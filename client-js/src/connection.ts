import type { Clock } from "./clock.js";
import { WharfError } from "./error.js";
import { Liveness, type LivenessOptions } from "./liveness.js";
import type { Ending } from "./outcome.js";
import { OPEN, type Payload, type SocketConstructor, type SocketLike } from "./socket.js";
import { resolveTarget, type TargetSource } from "./target.js";

export interface ConnectionSettings {
  readonly source: TargetSource;
  readonly WebSocket: SocketConstructor;
  readonly clock: Clock;
  readonly dialTimeoutMs: number;
  readonly closeTimeoutMs: number;
  readonly liveness: LivenessOptions | undefined;
}

/** How one connection ended, as far as it knows itself. */
export type End = Pick<Ending, "code" | "reason" | "wasClean" | "opened" | "error">;

export interface ConnectionListener {
  opened(): void;
  message(data: string | ArrayBuffer): void;
  /** Once, last of all, and never before the constructor has returned. */
  ended(end: End): void;
}

/** One connection, from the dial to its end. It never comes back. */
export class Connection {
  readonly #settings: ConnectionSettings;
  readonly #listener: ConnectionListener;
  readonly #abort = new AbortController();
  #cancelDeadline: () => void;
  #socket: SocketLike | undefined;
  #liveness: Liveness | undefined;
  #opened = false;
  #ended = false;

  constructor(
    settings: ConnectionSettings,
    attempt: number,
    query: Readonly<Record<string, string>>,
    listener: ConnectionListener,
  ) {
    this.#settings = settings;
    this.#listener = listener;
    const { dialTimeoutMs } = settings;
    this.#cancelDeadline = settings.clock.after(dialTimeoutMs, () =>
      this.#giveUp("WHARF_DIAL_TIMEOUT", `no connection within ${dialTimeoutMs} ms`),
    );
    resolveTarget(settings.source, { number: attempt, signal: this.#abort.signal }, query).then(
      ({ url, protocols }) => this.#dial(url, protocols),
      (error: WharfError) => this.#end({ ...BROKEN, error }),
    );
  }

  /** Bytes that were sent, but have not left the machine. */
  get bufferedBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Whether what is sent has a chance. A socket whose peer has said goodbye swallows it in silence. */
  get isOpen(): boolean {
    return this.#socket?.readyState === OPEN;
  }

  /** Only once it is open. */
  send(payload: Payload): void {
    this.#socket?.send(payload);
  }

  /** Doubts that the peer is still there. */
  doubt(): void {
    this.#liveness?.ask();
  }

  /** Says goodbye, and waits for the answer, but not for long. */
  close(code: number, reason: string): void {
    if (!this.#opened || !this.#socket) return this.#end({ ...BROKEN, code, reason });
    this.#liveness?.stop();
    this.#socket.close(code, reason);
    const { closeTimeoutMs, clock } = this.#settings;
    this.#cancelDeadline = clock.after(closeTimeoutMs, () =>
      this.#giveUp(
        "WHARF_CLOSE_TIMEOUT",
        `the peer did not answer the close within ${closeTimeoutMs} ms`,
      ),
    );
  }

  #dial(url: string, protocols: string[]): void {
    if (this.#ended) return;
    let socket: SocketLike;
    try {
      socket = new this.#settings.WebSocket(url, protocols);
    } catch (cause) {
      const error = new WharfError(
        "WHARF_URL",
        "the socket takes neither this address nor these subprotocols",
        { cause },
      );
      return this.#end({ ...BROKEN, error });
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#open();
    socket.onmessage = ({ data }: { data: string | ArrayBuffer }) => {
      this.#liveness?.heard();
      this.#listener.message(data);
    };
    socket.onclose = ({ code, reason, wasClean }: Pick<End, "code" | "reason" | "wasClean">) =>
      this.#end({ code, reason, wasClean });
    // Followed by a close, which says more. Never taken away again: npm `ws` throws an error that
    // nobody listens to.
    socket.onerror = () => {};
  }

  #open(): void {
    this.#cancelDeadline();
    this.#opened = true;
    const { liveness, clock } = this.#settings;
    if (liveness) {
      const dead = (): void =>
        this.#giveUp(
          "WHARF_HEARTBEAT_TIMEOUT",
          "the peer did not answer when asked for a sign of life",
        );
      this.#liveness = new Liveness(liveness, clock, (payload) => this.send(payload), dead);
    }
    this.#listener.opened();
  }

  #giveUp(
    code: "WHARF_DIAL_TIMEOUT" | "WHARF_CLOSE_TIMEOUT" | "WHARF_HEARTBEAT_TIMEOUT",
    message: string,
  ): void {
    this.#end({ ...BROKEN, error: new WharfError(code, message) });
  }

  #end(end: Omit<End, "opened">): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelDeadline();
    this.#liveness?.stop();
    this.#abort.abort();
    if (this.#socket) letGo(this.#socket);
    this.#listener.ended({ ...end, opened: this.#opened });
  }
}

const BROKEN = { code: 1006, reason: "", wasClean: false };
/** What RFC 6455's registry calls a timeout; a client may not send 1001 or 1006. */
const TIMEOUT_CODE = 3008;

/** Whatever this socket still has to say is of no interest to anybody. */
function letGo(socket: SocketLike): void {
  socket.onopen = socket.onmessage = socket.onclose = null;
  if (socket.readyState === OPEN) socket.close(TIMEOUT_CODE, "");
  else if (socket.readyState < OPEN) socket.close();
}
