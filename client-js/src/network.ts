/** What the machine knows about its own network. */
export interface Network {
  isOnline(): boolean;
  /** Calls the function at every change. Returns what ends that. */
  watch(changed: () => void): () => void;
}

/** Follows the page's `online` and `offline` events; always online where there are none. */
export const systemNetwork: Network = {
  // Elsewhere than in browsers `onLine` is not there, which must not read as "offline".
  isOnline: () => globalThis.navigator?.onLine !== false,
  watch(changed) {
    if (typeof globalThis.addEventListener !== "function") return () => {};
    globalThis.addEventListener("online", changed);
    globalThis.addEventListener("offline", changed);
    return () => {
      globalThis.removeEventListener("online", changed);
      globalThis.removeEventListener("offline", changed);
    };
  },
};

/** For servers that can be reached without a network: those on the same machine. */
export const alwaysOnline: Network = {
  isOnline: () => true,
  watch: () => () => {},
};
