// A tab that has the model store and nothing else, and what tests do with it.

/** Opens a blank page of `site`'s origin with `window.store`, a ModelStore of its own. */
export async function openTab(context, site) {
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  await page.goto(`${site.url}/blank`);
  await page.evaluate(async () => {
    const [{ ModelStore }, { openStored }, { resolveModel }] = await Promise.all([
      import('/src/store/client.ts'),
      import('/src/store/files.ts'),
      import('/src/store/resolve.ts'),
    ]);
    const hex = (digest) =>
      [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    Object.assign(window, { store: new ModelStore(), openStored, progress: [] });
    window.modelOf = async (source) =>
      typeof source === 'string' || Array.isArray(source.url)
        ? resolveModel(source, location.href, { hub: `${location.origin}/models/hub` })
        : { ...source, url: new URL(source.url, location.href).href };
    // As the engine reads: in pieces, through what checks them.
    window.readSha256 = async (key) => {
      const file = await openStored(key);
      const bytes = new Uint8Array(file.size);
      for (let at = 0; at < file.size; at += 1_000_000) bytes.set(await file.read(at, 1_000_000), at);
      return hex(await crypto.subtle.digest('SHA-256', bytes));
    };
  });
  return page;
}

/** Downloads `source` (an address, or a model); gives the SHA-256 of what the store then gives out, or an error's code. */
export const obtain = (page, source) =>
  page.evaluate(async (source) => {
    try {
      const model = await window.modelOf(source);
      const onProgress = (progress) => window.progress.push(progress);
      const stored = await window.store.fetch(model, { onProgress });
      return await window.readSha256(stored.key);
    } catch (error) {
      return error.code ?? String(error);
    }
  }, source);

/** What is there of `source`. */
export const found = (page, source) =>
  page.evaluate(async (source) => {
    const { complete, bytes } = await window.store.find(await window.modelOf(source));
    return { complete, bytes };
  }, source);

/** SHA-256 of what the store gives out, or the code of its error. */
export const readBack = (page, key) =>
  page.evaluate((key) => window.readSha256(key).catch((error) => error.code ?? String(error)), key);

/** Waits until a download of this tab has `bytes`, in `phase` if that is given. */
export const arrived = (page, bytes, phase) =>
  page.waitForFunction(
    ([bytes, phase]) =>
      window.progress.some((one) => one.doneBytes >= bytes && (phase === undefined || one.phase === phase)),
    [bytes, phase],
    { polling: 10 },
  );

/** Ends the tab's process, with its workers, at once: nothing gets to tidy up. */
export async function kill(context, page) {
  const session = await context.newCDPSession(page);
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  session.send('Page.crash').catch(() => {});
  await crashed;
  await page.close();
}

/** Flips one bit of the store's file `name` at `offset`, on disk. */
export const flip = (page, name, offset) =>
  page.evaluate(
    async ([name, offset]) => {
      const root = await navigator.storage.getDirectory();
      const handle = await (await root.getDirectoryHandle('inshore-models')).getFileHandle(name);
      const file = await handle.getFile();
      const [byte] = new Uint8Array(await file.slice(offset, offset + 1).arrayBuffer());
      const writable = await handle.createWritable({ keepExistingData: true });
      await writable.write({ type: 'write', position: offset, data: Uint8Array.of(byte ^ 1) });
      await writable.close();
      return file.size;
    },
    [name, offset],
  );

/** Names and sizes of the store's files. */
export const filesOf = (page) =>
  page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const folder = await root.getDirectoryHandle('inshore-models', { create: true });
    const files = {};
    for await (const [name, handle] of folder.entries()) files[name] = (await handle.getFile()).size;
    return files;
  });
