import { Events, Link, Room } from "wharf-client";

const link = new Link({
  // Asked anew for each dial, so that the token is fresh. A path is relative to the page.
  url: async ({ signal }) => {
    const answer = await fetch("/token", { signal });
    return { url: "/auction", protocols: ["auction.v1", `bearer.${await answer.text()}`] };
  },
});
link.on("connected", ({ again }) => console.log(again ? "back again" : "connected"));
link.on("disconnected", ({ code, final }) => console.log(final ? `ended with ${code}` : "away"));

const room = new Room<string>(link);
room.on("message", ({ message }) => console.log(message));
room.on("gap", () => console.log("something was missed: load the page's data again"));

type Auction = {
  calls: { bid: { data: { amount: number }; reply: { accepted: boolean } } };
  events: { sold: { lot: string } };
  requests: { confirm: { data: { lot: string }; reply: boolean } };
};
const auction = new Events<Auction>(link);
auction.on("sold", ({ lot }) => console.log(`${lot} is sold`));
auction.answer("confirm", ({ lot }) => lot === "the boat");

link.open(); // after the listeners, so that they miss nothing
const { accepted } = await auction.call("bid", { amount: 100 });
console.log(accepted ? "the bid stands" : "somebody bid more");
