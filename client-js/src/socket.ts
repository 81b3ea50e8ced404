/** What can be sent. */
export type Payload = string | ArrayBuffer | Uint8Array;

/**
 * As much of the web's `WebSocket` as the link uses; npm `ws` has it, too. `any`, because their types
 * of events and data differ in what is of no interest here.
 */
export interface SocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  binaryType: string;
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: any): void;
  close(code?: number, reason?: string): void;
}

/** The class of such sockets. */
export type SocketConstructor = new (url: string, protocols?: string[]) => SocketLike;

/** `WebSocket.OPEN`, which an implementation need not have as a static. */
export const OPEN = 1;

const encoder = new TextEncoder();

/** Its length on the wire, without the frame's header. */
export function payloadBytes(payload: Payload): number {
  return typeof payload === "string" ? encoder.encode(payload).length : payload.byteLength;
}
