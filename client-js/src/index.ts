export type { AnswerFunction } from "./answers.js";
export type { BackoffOptions } from "./backoff.js";
export { CallError, type CallOptions } from "./calls.js";
export type { Clock } from "./clock.js";
export type { Failure, Fields } from "./envelope.js";
export { type ErrorCode, WharfError } from "./error.js";
export { Events, type EventsOptions } from "./events.js";
export { Link, type LinkEvents, type LinkOptions, type LinkState, type Resumer } from "./link.js";
export type { LivenessOptions } from "./liveness.js";
export { alwaysOnline, type Network } from "./network.js";
export { type Ending, isFinalByDefault, type Outcome } from "./outcome.js";
export type { Position } from "./position.js";
export type { AnyProtocol, Protocol } from "./protocol.js";
export type { Delivery, QueueOptions } from "./queue.js";
export {
  type Gap,
  type Member,
  Room,
  type RoomEvents,
  type RoomOptions,
  type Welcome,
} from "./room.js";
export type { Payload, SocketConstructor, SocketLike } from "./socket.js";
export type { Attempt, Target, TargetSource } from "./target.js";
