const DEADLINE_MS = 10_000;

/** What listeners were told, awaited one by one. */
export class Told<Value> {
  readonly #values: Value[] = [];
  #wake = (): void => {};

  /** The listener to hand over. */
  readonly add = (value: Value): void => {
    this.#values.push(value);
    this.#wake();
  };

  /** Everything that nobody has waited for yet. */
  get rest(): readonly Value[] {
    return this.#values;
  }

  async next(): Promise<Value> {
    if (this.#values.length === 0) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new Error(`nothing was told within ${DEADLINE_MS} ms`)),
          DEADLINE_MS,
        );
      });
      const told = new Promise<void>((resolve) => (this.#wake = resolve));
      await Promise.race([told, late]).finally(() => clearTimeout(timer));
    }
    return this.#values.shift() as Value;
  }
}
