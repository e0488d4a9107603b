/** Something that a test waits for, and another part of it brings about. */
export class Signal {
  #fire: () => void = () => {};
  readonly fired = new Promise<void>((resolve) => {
    this.#fire = resolve;
  });

  fire(): void {
    this.#fire();
  }
}
