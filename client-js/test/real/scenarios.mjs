// What is done with real servers, in Node and in a page alike: the functions are handed over as text,
// so each stands for itself. They take the package, an address and the link's options.

/** Events, replies, refusals and questions of the fixture's `/channel`; what came, as one object. */
export async function channel({ Events, Link }, url, options) {
  const link = new Link({ url, ...options });
  const events = new Events(link);
  events.answer("name", () => "Ada");
  const ticks = [];
  events.on("tick", (number) => ticks.push(number));
  link.open();
  const refusal = (event, data) =>
    events.call(event, data).then(
      (reply) => `answered ${JSON.stringify(reply)}`,
      (error) => error.code,
    );
  const told = {
    echo: await events.call("echo", { list: [1, null], text: "Grüße" }),
    sum: await events.call("add", { a: 1, b: 2 }),
    asked: await events.call("ask", null),
    ticks: await events.call("tick", { n: 100 }),
    heard: ticks.every((number, index) => number === index) ? ticks.length : ticks.join(),
    together: await Promise.all([1, 2, 3].map((number) => events.call("echo", number))),
  };
  const refused = {
    nobody: null,
    admin: null,
    fail: null,
    panic: null,
    slow: null,
    add: { a: 5000, b: 1 },
  };
  for (const [event, data] of Object.entries(refused)) told[event] = await refusal(event, data);
  // The connection has outlived all of them.
  told.last = await events.call("echo", "last");
  const { code, wasClean } = await link.close();
  return { ...told, code, wasClean };
}

/** A seat in a room that goes on telling: `told` grows, `say` publishes, `end` leaves. */
export function visit({ Link, Room }, url, options) {
  const link = new Link({ url, backoff: { baseMs: 50, capMs: 100 }, ...options });
  const room = new Room(link);
  const told = [];
  link.on("connected", ({ again }) => told.push(again ? "back" : "there"));
  // How often it dials in vain while there is no server is up to chance.
  link.on("disconnected", ({ opened }) => opened && told.push("away"));
  room.on("welcome", ({ resumed }) => told.push(`resumed: ${resumed ?? "not asked"}`));
  room.on("message", ({ message }) => told.push(message));
  room.on("gap", () => told.push("gap"));
  link.open();
  return {
    told,
    say: (message) => link.send(JSON.stringify({ publish: message })),
    end: () => link.close(),
  };
}
