import { Answers, type AnswerFunction } from "./answers.js";
import { CallError, PendingCalls, type CallOptions } from "./calls.js";
import { Emitter } from "./emitter.js";
import { Envelope, type Fields } from "./envelope.js";
import { WharfError } from "./error.js";
import type { Link } from "./link.js";
import type {
  AnyProtocol,
  Calls,
  DataOf,
  Names,
  Protocol,
  ReplyOf,
  Requests,
  ServerEvents,
} from "./protocol.js";
import type { Delivery } from "./queue.js";

export interface EventsOptions {
  /** How long a call waits for its reply, unless it says otherwise. Default 10,000. */
  readonly callTimeoutMs?: number;
  /** Calls without a reply yet. Default 64. */
  readonly maxCalls?: number;
  /** Requests of the server that are being answered. Default 64. */
  readonly maxAnswers?: number;
  /** Other names for the envelope's fields. */
  readonly fields?: Partial<Fields>;
}

/** Typed events, calls and answers over a link. Make it before the link is opened. */
export class Events<P extends Protocol = AnyProtocol> {
  readonly #link: Link;
  readonly #envelope: Envelope;
  readonly #calls: PendingCalls;
  readonly #answers: Answers;
  readonly #events = new Emitter<ServerEvents<P>>();
  // Apart from the server's events, which may have any name.
  readonly #told = new Emitter<{ malformed: WharfError; refused: CallError }>();

  constructor(link: Link, options: EventsOptions = {}) {
    this.#link = link;
    this.#envelope = new Envelope(options.fields);
    this.#calls = new PendingCalls(
      link,
      this.#envelope,
      options.callTimeoutMs ?? 10_000,
      options.maxCalls ?? 64,
    );
    this.#answers = new Answers(link, this.#envelope, options.maxAnswers ?? 64);
    link.on("message", (data) => {
      if (typeof data === "string") this.#receive(data);
    });
  }

  /** Calls the listener for each such event of the server. Returns the function that ends it. */
  on<Name extends Names<ServerEvents<P>>>(
    event: Name,
    listener: (data: ServerEvents<P>[Name]) => void,
  ): () => void {
    return this.#events.on(event, listener);
  }

  /** Calls the listener when the server refuses an event that was sent without asking for a reply. */
  onRefused(listener: (error: CallError) => void): () => void {
    return this.#told.on("refused", listener);
  }

  /** Calls the listener for each text that is not what was agreed. The link goes on. */
  onMalformed(listener: (error: WharfError) => void): () => void {
    return this.#told.on("malformed", listener);
  }

  /** Sends an event that wants no reply; a refusal is told to `onRefused`. Throws what `Link.send` throws. */
  send<Name extends Names<Calls<P>>>(event: Name, data: DataOf<Calls<P>[Name]>): Delivery {
    return this.#link.send(this.#envelope.event(event, data));
  }

  /**
   * Sends an event and resolves with its reply.
   *
   * Rejects with a `CallError` if the server says no, otherwise with a `WharfError`:
   * `WHARF_REPLY_TIMEOUT`, `WHARF_DISCONNECTED` (the connection broke after the call was sent; it is
   * not sent again, since it may have been done), `WHARF_BACKPRESSURE`, and what `Link.send` throws.
   */
  call<Name extends Names<Calls<P>>>(
    event: Name,
    data: DataOf<Calls<P>[Name]>,
    options: CallOptions = {},
  ): Promise<ReplyOf<Calls<P>[Name]>> {
    return this.#calls.call(event, data, options) as Promise<ReplyOf<Calls<P>[Name]>>;
  }

  /**
   * Answers such requests of the server with what the function returns. A `CallError` that it throws
   * is handed on; of any other error the server is told only that there was one.
   */
  answer<Name extends Names<Requests<P>>>(
    event: Name,
    answer: AnswerFunction<DataOf<Requests<P>[Name]>, ReplyOf<Requests<P>[Name]>>,
  ): void {
    this.#answers.register(event, answer as AnswerFunction<unknown, unknown>);
  }

  #receive(text: string): void {
    const inbound = this.#envelope.read(text);
    switch (inbound.kind) {
      case "event":
        if (inbound.id !== undefined) this.#answers.answer(inbound.event, inbound.data, inbound.id);
        else this.#events.tell(inbound.event as keyof ServerEvents<P>, inbound.data as never);
        break;
      case "reply":
        if (!this.#calls.wasMade(inbound.id)) return this.#tellMalformed(UNASKED);
        this.#calls.resolve(inbound.id, inbound.data);
        break;
      case "failure":
        if (inbound.id === null) return this.#told.tell("refused", CallError.of(inbound.failure));
        if (!this.#calls.wasMade(inbound.id)) return this.#tellMalformed(UNASKED);
        this.#calls.reject(inbound.id, CallError.of(inbound.failure));
        break;
      case "malformed":
        this.#tellMalformed(inbound.what);
        break;
      case "other":
        break;
    }
  }

  #tellMalformed(what: string): void {
    this.#told.tell("malformed", new WharfError("WHARF_MALFORMED", what));
  }
}

const UNASKED = "a reply of the server belongs to no call";
