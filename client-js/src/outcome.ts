import type { WharfError } from "./error.js";

/** How a connection, or the try to get one, ended. */
export interface Ending {
  /** The close code; 1006 if the connection broke, or never was. */
  readonly code: number;
  readonly reason: string;
  /** Both sides said goodbye. */
  readonly wasClean: boolean;
  /** There was a connection. A browser does not say why one was refused. */
  readonly opened: boolean;
  /** It lasted long enough for the next wait to be short again. */
  readonly stable: boolean;
  /** The dial's number since the link was last stable. */
  readonly attempt: number;
  /** What this side found, if it was this side that gave up. */
  readonly error?: WharfError;
}

/** What listeners of `disconnected` are told. */
export interface Outcome extends Ending {
  /** The link does not dial again. Told once, last of all. */
  readonly final: boolean;
  /** When it dials again; missing if that is up to the network coming back. */
  readonly retryInMs?: number;
  /** Queued messages that will never be sent, now that it is final. */
  readonly dropped: number;
}

/** The server would say the same again, however often it is asked. */
const FINAL_CODES = new Set([
  1000, // the server is done
  1002, // this side broke the protocol
  1003, // this side sent a kind of data that the server does not take
  1007, // … or data that does not decode
  1009, // … or too much of it
  1010, // the server lacks an extension
  3000, // unauthorized
  3003, // forbidden
]);

/**
 * Whether to dial no more, unless `isFinal` says otherwise.
 *
 * The application's own codes (4000–4999) are final: the server meant this very client. 1008 is
 * final unless the connection was stable: a credential that expires ends with 1008 after a while,
 * and the next dial brings a new one; a refusal comes at once.
 */
export function isFinalByDefault(ending: Ending): boolean {
  if (ending.error) return ending.error.code === "WHARF_URL";
  if (ending.code === 1008) return !ending.stable;
  return FINAL_CODES.has(ending.code) || (ending.code >= 4000 && ending.code <= 4999);
}
