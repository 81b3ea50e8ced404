import { Emitter } from "./emitter.js";
import { WharfError } from "./error.js";
import { isObject, isOptional, parseObject } from "./json.js";
import type { Link } from "./link.js";
import { isHeard, isPosition, type Position } from "./position.js";

export interface RoomOptions {
  /** Where this client was when it was here last, say before the page was loaded again. */
  readonly since?: Position | undefined;
}

/** What the server says first. */
export interface Welcome {
  readonly session?: string;
  readonly node?: string;
  /** Whether everything since the position that was handed over follows. */
  readonly resumed?: boolean;
  readonly position?: Position;
}

/** Who came, changed or went, if the server was asked to tell; with what it says of them besides. */
export interface Member {
  readonly session: string;
  readonly [more: string]: unknown;
}

/** Something may have been missed. */
export interface Gap {
  /** How many messages, or null if nobody knows. */
  readonly messages: number | null;
}

/** What a room tells. */
export interface RoomEvents<Message> {
  welcome: Welcome;
  message: {
    readonly message: Message;
    /** Missing in a room without history. */
    readonly position?: Position;
  };
  gap: Gap;
  joined: Member;
  changed: Member;
  left: Member;
  /** Another JSON object: what else the application's handler says. */
  other: Readonly<Record<string, unknown>>;
  /** A text that is none of these. The link goes on. */
  malformed: WharfError;
}

/**
 * A seat in a room: hears what is published, comes back to where it was, and says so when it could
 * not. Make it before the link is opened.
 */
export class Room<Message = unknown> {
  readonly #emitter = new Emitter<RoomEvents<Message>>();
  #position: Position | undefined;
  /** The last dial asked to resume. */
  #asked = false;
  /** This client was here before, and the server has not yet said whether it missed anything. */
  #isUnsettled = false;

  constructor(link: Link, options: RoomOptions = {}) {
    if (options.since !== undefined && !isPosition(options.since)) {
      throw new WharfError(
        "WHARF_CONFIG",
        "`since` is no position; hand over what `room.position` was, or nothing",
      );
    }
    this.#position = options.since;
    link.resumeWith({ query: () => this.#query() });
    link.on("connected", ({ again }) => {
      this.#isUnsettled = again || this.#asked;
    });
    link.on("message", (data) => {
      if (typeof data === "string") this.#receive(data);
    });
  }

  /** Behind the last message that was told. Worth keeping, see `since`. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Calls the listener each time. Returns the function that ends it. */
  on<Name extends keyof RoomEvents<Message>>(
    name: Name,
    listener: (value: RoomEvents<Message>[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  #query(): Readonly<Record<string, string>> {
    this.#asked = this.#position !== undefined;
    return this.#position === undefined ? {} : { since: this.#position };
  }

  #receive(text: string): void {
    const value = parseObject(text);
    if (!value) return this.#malformed("a text of the server is not a JSON object");
    if ("message" in value) return this.#hear(value);
    const { welcome, gap } = value;
    if (welcome !== undefined) {
      return isWelcome(welcome) ? this.#enter(welcome) : this.#malformed(shapeOf("welcome"));
    }
    if (gap !== undefined) {
      return isGap(gap) ? this.#emitter.tell("gap", gap) : this.#malformed(shapeOf("gap"));
    }
    for (const [field, name] of PRESENCE) {
      const member = value[field];
      if (member === undefined) continue;
      return isMember(member) ? this.#emitter.tell(name, member) : this.#malformed(shapeOf(field));
    }
    this.#emitter.tell("other", value);
  }

  #enter(welcome: Welcome): void {
    const resumed = this.#asked && welcome.resumed === true;
    // Resumed, the position stays: what was missed is yet to come, and the connection may break first.
    if (!resumed) this.#position = welcome.position;
    this.#settle(resumed);
    this.#emitter.tell("welcome", welcome);
  }

  #hear({ message, position }: Readonly<Record<string, unknown>>): void {
    // A server that does not say what became of the rest has not resumed.
    this.#settle(false);
    if (position === undefined)
      return this.#emitter.tell("message", { message: message as Message });
    if (!isPosition(position)) return this.#malformed(shapeOf("position"));
    if (isHeard(position, this.#position)) return;
    this.#position = position;
    this.#emitter.tell("message", { message: message as Message, position });
  }

  #settle(resumed: boolean): void {
    const missed = this.#isUnsettled && !resumed;
    this.#isUnsettled = false;
    if (missed) this.#emitter.tell("gap", { messages: null });
  }

  #malformed(what: string): void {
    this.#emitter.tell("malformed", new WharfError("WHARF_MALFORMED", what));
  }
}

/** The fields, and what they are told as: a new name is a change like any other. */
const PRESENCE = [
  ["joined", "joined"],
  ["changed", "changed"],
  ["renamed", "changed"],
  ["left", "left"],
] as const;

const shapeOf = (name: string): string => `the server's "${name}" has another shape than agreed`;

function isWelcome(value: unknown): value is Welcome {
  if (!isObject(value)) return false;
  const { session, node, resumed, position } = value;
  return (
    isOptional("string", session) &&
    isOptional("string", node) &&
    isOptional("boolean", resumed) &&
    (position === undefined || isPosition(position))
  );
}

function isGap(value: unknown): value is Gap {
  return isObject(value) && (value["messages"] === null || typeof value["messages"] === "number");
}

function isMember(value: unknown): value is Member {
  return isObject(value) && typeof value["session"] === "string";
}
