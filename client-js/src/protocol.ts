/**
 * What is said on a link, as a type:
 *
 *     type Auction = {
 *       calls: { bid: { data: { amount: number }; reply: { accepted: boolean } } };
 *       events: { sold: { lot: string } };
 *       requests: { confirm: { data: { lot: string }; reply: boolean } };
 *     };
 *
 * Types only: what comes over the wire is the server's word, and not checked.
 */
export interface Protocol {
  /** Events of this client, with or without a reply. */
  calls?: object;
  /** Events of the server. */
  events?: object;
  /** Events of the server that want a reply. */
  requests?: object;
}

/** A protocol of which nothing is known. */
export interface AnyProtocol {
  calls: Record<string, { data: unknown; reply: unknown }>;
  events: Record<string, unknown>;
  requests: Record<string, { data: unknown; reply: unknown }>;
}

type Part<P extends Protocol, Name extends keyof Protocol> =
  P extends Record<Name, infer Found extends object> ? Found : {};

export type Calls<P extends Protocol> = Part<P, "calls">;
export type ServerEvents<P extends Protocol> = Part<P, "events">;
export type Requests<P extends Protocol> = Part<P, "requests">;

/** The names that are strings, as all on the wire are. */
export type Names<Map> = keyof Map & string;

export type DataOf<Entry> = Entry extends { data: infer Data } ? Data : undefined;
export type ReplyOf<Entry> = Entry extends { reply: infer Reply } ? Reply : unknown;
