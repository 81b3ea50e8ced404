import { WharfError } from "./error.js";

/** Where to dial, and what to offer there. */
export interface Target {
  readonly url: string | URL;
  /** Subprotocols, best first. A browser can set no header, so a token is offered here, too. */
  readonly protocols?: readonly string[];
}

/** One dial. */
export interface Attempt {
  /** 1 for the first dial since the link was stable, then 2, 3, … */
  readonly number: number;
  /** Aborted when the dial ends: its deadline, or the link was closed. Hand it to `fetch`. */
  readonly signal: AbortSignal;
}

type Answer = string | URL | Target;

/** An address, or the function that makes it anew (with fresh credentials) for each dial. */
export type TargetSource = Answer | ((attempt: Attempt) => Answer | Promise<Answer>);

/** What the source says, checked, with these parameters in the query. */
export async function resolveTarget(
  source: TargetSource,
  attempt: Attempt,
  query: Readonly<Record<string, string>>,
): Promise<{ url: string; protocols: string[] }> {
  const answer = typeof source === "function" ? await ask(source, attempt) : source;
  const target = typeof answer === "string" || answer instanceof URL ? { url: answer } : answer;
  const url = parse(target.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return { url: url.href, protocols: [...(target.protocols ?? [])] };
}

async function ask(source: Exclude<TargetSource, Answer>, attempt: Attempt): Promise<Answer> {
  try {
    return await source(attempt);
  } catch (cause) {
    throw new WharfError("WHARF_TARGET", "the function that makes the URL failed; see `cause`", {
      cause,
    });
  }
}

/** A path alone is relative to the page, as in `fetch`. */
function parse(address: string | URL): URL {
  let url: URL;
  try {
    url = new URL(address, globalThis.location?.href);
  } catch {
    throw new WharfError(
      "WHARF_URL",
      "the address is not a URL; outside of a page it must be a whole one",
    );
  }
  if (url.protocol === "http:") url.protocol = "ws:";
  if (url.protocol === "https:") url.protocol = "wss:";
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new WharfError("WHARF_URL", `the address begins with ${url.protocol}, use ws: or wss:`);
  }
  if (url.hash) {
    throw new WharfError(
      "WHARF_URL",
      "the address has a fragment (#…), which servers never see; take it away",
    );
  }
  return url;
}
