import type { TestContext } from "node:test";

/** Puts something else in the place of a global until the test has ended. */
export function replaceGlobal(context: TestContext, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(globalThis, name);
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  context.after(() => {
    if (before) Object.defineProperty(globalThis, name, before);
    else Reflect.deleteProperty(globalThis, name);
  });
}

/** The errors of the application's own functions that are reported until the test has ended. */
export function reportedErrors(context: TestContext): unknown[] {
  const reported: unknown[] = [];
  replaceGlobal(context, "reportError", (error: unknown) => reported.push(error));
  return reported;
}
