/** A place in a room's history, `epoch:offset`, as the server tells it. */
export type Position = string;

/** Far more than any server's; it goes into the URL of each dial. */
const MAX_LENGTH = 256;

export function isPosition(value: unknown): value is Position {
  return typeof value === "string" && value.length <= MAX_LENGTH && /^[^:]+:\d+$/.test(value);
}

/** Whether the first is no further than the second in the same history. */
export function isHeard(position: Position, last: Position | undefined): boolean {
  if (last === undefined) return false;
  const [epoch, offset] = position.split(":");
  const [lastEpoch, lastOffset] = last.split(":");
  // Offsets are 64 bits wide, and a JavaScript number is exact only up to 53.
  return epoch === lastEpoch && BigInt(offset ?? 0) <= BigInt(lastOffset ?? 0);
}
