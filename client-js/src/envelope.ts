import { isObject, isOptional, parseObject, type JsonObject } from "./json.js";

/** The names of the envelope's fields, for servers that have chosen others. */
export interface Fields {
  readonly event: string;
  readonly data: string;
  readonly id: string;
  readonly reply: string;
  readonly error: string;
}

export const DEFAULT_FIELDS: Fields = {
  event: "event",
  data: "data",
  id: "id",
  reply: "reply",
  error: "error",
};

/** An id of the server's is given back as it came. */
export type Id = string | number;

/** Why a request failed, as the one who was asked tells it. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** What is wrong with the data, place by place. */
  readonly issues?: readonly unknown[];
}

/** What a text of the server is. */
export type Inbound =
  | { readonly kind: "event"; readonly event: string; readonly data: unknown; readonly id?: Id }
  | { readonly kind: "reply"; readonly id: number; readonly data: unknown }
  /** Without an id it is about an event that had none, or that the server could not read. */
  | { readonly kind: "failure"; readonly id: number | null; readonly failure: Failure }
  /** Somebody else's, on the same link. */
  | { readonly kind: "other" }
  | { readonly kind: "malformed"; readonly what: string };

/** Reads and writes the envelope. */
export class Envelope {
  readonly #fields: Fields;

  constructor(fields: Partial<Fields> = {}) {
    this.#fields = { ...DEFAULT_FIELDS, ...fields };
  }

  event(event: string, data: unknown, id?: Id): string {
    const { event: eventField, data: dataField, id: idField } = this.#fields;
    return JSON.stringify({ [eventField]: event, [dataField]: data, [idField]: id });
  }

  reply(id: Id, data: unknown): string {
    // Without a value the field would be missing, and the text no reply.
    return JSON.stringify({ [this.#fields.reply]: id, [this.#fields.data]: data ?? null });
  }

  failure(id: Id, failure: Failure): string {
    return JSON.stringify({ [this.#fields.reply]: id, [this.#fields.error]: failure });
  }

  read(text: string): Inbound {
    const value = parseObject(text);
    if (!value) return { kind: "malformed", what: "a text of the server is not a JSON object" };
    const { event, reply } = this.#fields;
    if (value[reply] !== undefined) return this.#readReply(value[reply], value);
    if (value[event] !== undefined) return this.#readEvent(value[event], value);
    return { kind: "other" };
  }

  #readReply(id: unknown, value: JsonObject): Inbound {
    // This side uses numbers. Who sends an envelope by hand (a sign of life, say) may use a string.
    if (typeof id === "string") return { kind: "other" };
    const failure = value[this.#fields.error];
    if (failure === undefined) {
      return typeof id === "number"
        ? { kind: "reply", id, data: value[this.#fields.data] }
        : { kind: "malformed", what: "a reply of the server has no usable id" };
    }
    if (typeof id !== "number" && id !== null) {
      return { kind: "malformed", what: "an error reply of the server has no usable id" };
    }
    if (!isFailure(failure))
      return { kind: "malformed", what: "an error reply of the server has no code" };
    const { code, message = "", issues } = failure;
    return { kind: "failure", id, failure: { code, message, ...(issues && { issues }) } };
  }

  #readEvent(event: unknown, value: JsonObject): Inbound {
    const { [this.#fields.data]: data, [this.#fields.id]: id } = value;
    if (typeof event !== "string")
      return { kind: "malformed", what: "an event's name is not a string" };
    if (id === undefined) return { kind: "event", event, data };
    if (!isId(id)) return { kind: "malformed", what: "a request of the server has no usable id" };
    return { kind: "event", event, data, id };
  }
}

function isId(value: unknown): value is Id {
  return typeof value === "string" || typeof value === "number";
}

/** The message may be missing: it is for people. */
function isFailure(value: unknown): value is Partial<Failure> & Pick<Failure, "code"> {
  if (!isObject(value)) return false;
  const { code, message, issues } = value;
  return (
    typeof code === "string" &&
    isOptional("string", message) &&
    (issues === undefined || Array.isArray(issues))
  );
}
