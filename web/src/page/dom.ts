/** The element `id` of `index.html`, of the class that the caller names. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new TypeError(`index.html has no ${type.name} #${id}`);
  return element;
}

/** A new element with plain text: model output is never read as HTML. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  options: { text?: string; className?: string; testId?: string } = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (options.text !== undefined) made.textContent = options.text;
  if (options.className !== undefined) made.className = options.className;
  if (options.testId !== undefined) made.dataset.testid = options.testId;
  return made;
}
