/** Resolves with `work`, or with undefined after `ms`; `onLate` is called in that case. */
export async function within<T>(
  ms: number,
  work: Promise<T>,
  onLate: () => void = () => {},
): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      onLate();
      resolve(undefined);
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
