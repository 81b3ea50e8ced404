// What the compiler must take and what it must refuse. Compiled, never run.
import type { WebSocket as NodeWebSocket } from "ws";
import { Events, Link, Room, type SocketConstructor } from "../src/index.js";

type Fits<Socket extends SocketConstructor> = Socket;
export type Sockets = [Fits<typeof NodeWebSocket>, Fits<typeof globalThis.WebSocket>];

interface Auction {
  calls: {
    bid: { data: { amount: number }; reply: { accepted: boolean } };
    watch: { data: { lot: string } };
  };
  events: { sold: { lot: string } };
  requests: { confirm: { data: { lot: string }; reply: boolean } };
}

export async function compiles(link: Link): Promise<void> {
  const events = new Events<Auction>(link);
  const { accepted } = await events.call("bid", { amount: 1 });
  const boolean: boolean = accepted;
  events.send("watch", { lot: String(boolean) });
  events.on("sold", ({ lot }) => lot.length);
  events.answer("confirm", ({ lot }) => lot === "boat");
  // @ts-expect-error: no such call
  await events.call("sold", {});
  // @ts-expect-error: other data
  await events.call("bid", { amount: "much" });
  // @ts-expect-error: no such event
  events.on("bid", () => {});
  // @ts-expect-error: another reply
  events.answer("confirm", () => "yes");

  const calls = new Events<{ calls: Auction["calls"] }>(link);
  // @ts-expect-error: this protocol has no events of the server
  calls.on("sold", () => {});

  const any = new Events(link);
  const unknown: unknown = await any.call("anything", 7);
  any.on("whatever", (data: unknown) => data ?? unknown);
  // @ts-expect-error: nobody knows what it is
  any.on("whatever", (data) => data.lot);

  new Room<string>(link).on("message", ({ message }) => message.length);
  // @ts-expect-error: a link tells no such thing
  link.on("open", () => {});
}
