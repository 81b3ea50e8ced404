import type { Payload, SocketLike } from "../../src/socket.js";

/** A socket whose other end is the test. */
export class FakeSocket implements SocketLike {
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "blob";
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  readonly sent: Payload[] = [];
  /** What the client closed with; `[]` for a close without a code. */
  closedWith: unknown[] | undefined;

  constructor(
    readonly url: string,
    readonly protocols: string[] = [],
  ) {}

  send(data: Payload): void {
    if (this.readyState === 1) this.sent.push(data);
  }

  close(...how: unknown[]): void {
    this.closedWith = how;
    this.readyState = 2;
  }

  /** The parameter of the URL that the client dialled. */
  query(name: string): string | null {
    return new URL(this.url).searchParams.get(name);
  }

  /** What the client sent, as JSON. */
  get said(): unknown[] {
    return this.sent.map((payload) => JSON.parse(String(payload)));
  }

  // The server's side.

  accepts(): void {
    this.readyState = 1;
    this.onopen?.({});
  }

  says(value: unknown): void {
    this.saysText(JSON.stringify(value));
  }

  saysText(data: string | ArrayBuffer): void {
    this.onmessage?.({ data });
  }

  closes(code = 1000, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason, wasClean: true });
  }

  breaks(): void {
    this.readyState = 3;
    this.onerror?.({});
    this.onclose?.({ code: 1006, reason: "", wasClean: false });
  }
}
