// Bytes cut at other places than they were sent: what a network does to a stream.

/** A generator of numbers in 0..1 (mulberry32): the same seed, the same numbers. */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `fetch` with the same bytes in pieces of other sizes; `seed` decides where they are cut. */
export function splitting(fetch, seed) {
  const random = randomOf(seed);
  return async (input, init) => {
    const response = await fetch(input, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        // Often a byte or two, so that code points and line ends are cut; at times a lot at once.
        const size = random() < 0.7 ? 1 + Math.floor(random() * 3) : 1 + Math.floor(random() * 400);
        controller.enqueue(bytes.slice(at, at + size));
        at += size;
      },
    });
    return new Response(body, response);
  };
}
