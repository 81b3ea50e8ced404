import { CallError } from "./calls.js";
import type { Envelope, Failure, Id } from "./envelope.js";
import { reportUncaught, WharfError } from "./error.js";
import type { Link } from "./link.js";

/** Answers a request of the server. The signal is aborted when nobody waits for the answer any more. */
export type AnswerFunction<Data, Reply> = (
  data: Data,
  context: { readonly signal: AbortSignal },
) => Reply | Promise<Reply>;

/** Requests of the server, and who answers them. */
export class Answers {
  readonly #link: Link;
  readonly #envelope: Envelope;
  readonly #max: number;
  readonly #functions = new Map<string, AnswerFunction<unknown, unknown>>();
  #underWay = 0;
  #connection = new AbortController();

  constructor(link: Link, envelope: Envelope, max: number) {
    this.#link = link;
    this.#envelope = envelope;
    this.#max = max;
    link.on("disconnected", () => {
      this.#connection.abort();
      this.#connection = new AbortController();
    });
  }

  register(event: string, answer: AnswerFunction<unknown, unknown>): void {
    if (this.#functions.has(event)) {
      throw new WharfError("WHARF_CONFIG", `"${event}" has a function that answers it already`);
    }
    this.#functions.set(event, answer);
  }

  /** There is one reply for each request, whatever happens, unless the connection is gone. */
  answer(event: string, data: unknown, id: Id): void {
    const { signal } = this.#connection;
    const answer = this.#functions.get(event);
    if (!answer) return this.#send(signal, this.#envelope.failure(id, UNKNOWN_EVENT));
    if (this.#underWay >= this.#max)
      return this.#send(signal, this.#envelope.failure(id, TOO_MANY));
    this.#underWay += 1;
    // Called in a promise, so that a function that throws and one that rejects are the same.
    Promise.resolve()
      .then(() => answer(data, { signal }))
      .then((reply) => this.#envelope.reply(id, reply))
      .catch((error: unknown) => this.#envelope.failure(id, failureOf(error)))
      .then((text) => {
        this.#underWay -= 1;
        this.#send(signal, text);
      });
  }

  /** To this very connection or to none: on the next one the id means something else. */
  #send(connection: AbortSignal, text: string): void {
    if (connection.aborted) return;
    try {
      this.#link.send(text).cancel();
    } catch (error) {
      reportUncaught(error);
    }
  }
}

function failureOf(error: unknown): Failure {
  if (error instanceof CallError) {
    const { code, message, issues } = error;
    return { code, message, ...(issues && { issues }) };
  }
  reportUncaught(error);
  return { code: "WHARF_HANDLER", message: "the function that answers failed" };
}

const UNKNOWN_EVENT: Failure = {
  code: "WHARF_UNKNOWN_EVENT",
  message: "nothing here answers this event",
};
const TOO_MANY: Failure = {
  code: "WHARF_BACKPRESSURE",
  message: "too many requests are being answered",
};
