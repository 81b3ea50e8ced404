import type { Network } from "../../src/network.js";

/** A network with a switch. */
export class FakeNetwork implements Network {
  readonly #watching = new Set<() => void>();
  #online = true;

  isOnline(): boolean {
    return this.#online;
  }

  watch(changed: () => void): () => void {
    this.#watching.add(changed);
    return () => {
      this.#watching.delete(changed);
    };
  }

  /** How many are told of changes. */
  get watchers(): number {
    return this.#watching.size;
  }

  goes(state: "online" | "offline"): void {
    this.#online = state === "online";
    for (const changed of this.#watching) changed();
  }
}
