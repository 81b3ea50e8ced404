/** What can go wrong on this side. Stable: branch on these, not on messages. */
export type ErrorCode =
  /** The URL cannot be dialled: not a WebSocket address, or it has a fragment. */
  | "WHARF_URL"
  /** The function that makes the URL failed; `cause` is what it threw. */
  | "WHARF_TARGET"
  /** No connection within `dialTimeoutMs`. */
  | "WHARF_DIAL_TIMEOUT"
  /** The peer did not finish the closing within `closeTimeoutMs`. */
  | "WHARF_CLOSE_TIMEOUT"
  /** Nothing came in time, although the peer was asked for something. */
  | "WHARF_HEARTBEAT_TIMEOUT"
  /** What was to be sent does not fit into the queue, or too many calls are under way. */
  | "WHARF_BACKPRESSURE"
  /** There is no connection, and the link was told to refuse then. */
  | "WHARF_AWAY"
  /** The link is closed for good, or closing. */
  | "WHARF_CLOSED"
  /** A close code that a client may not send. */
  | "WHARF_CLOSE_CODE"
  /** A close reason of more than 123 bytes. */
  | "WHARF_CLOSE_REASON"
  /** The connection broke after the call was sent: nobody knows whether it was done. */
  | "WHARF_DISCONNECTED"
  /** No reply in time. */
  | "WHARF_REPLY_TIMEOUT"
  /** A text of the server that is not what was agreed. */
  | "WHARF_MALFORMED"
  /** Something that may be there only once is there already. */
  | "WHARF_CONFIG";

/** An error of this library. Its message never holds what was sent, received or a credential. */
export class WharfError extends Error {
  override readonly name = "WharfError";
  /** What to branch on. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Hands an error of the application's own function to whoever listens for uncaught ones. */
export function reportUncaught(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}
