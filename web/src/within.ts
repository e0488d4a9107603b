/** Resolves with the result of `work`. If it takes longer than `ms`, calls `onLate` and resolves with undefined. */
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
