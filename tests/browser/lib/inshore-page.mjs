// The page as the tests see it.

/** Opens the page and gives its handle; `query` goes into the address. Uncaught errors of the page fail the test. */
export async function openPage(context, url, query = {}) {
  const page = await context.newPage();
  // Everything here is quick on an idle machine; a busy one is not a failure.
  page.setDefaultTimeout(120_000);
  page.problems = [];
  page.on('pageerror', (error) => page.problems.push(String(error)));
  // A refused resource, script or address of one (content security policy, Trusted Types) is reported on the console only.
  page.on('console', (message) => {
    if (
      message.type() === 'error' &&
      /Content Security Policy|'Trusted\w+'|TrustedTypePolicy/.test(message.text())
    )
      page.problems.push(message.text());
  });
  await page.goto(`${url}/?${new URLSearchParams(query)}`);
  await page
    .waitForFunction(() => window.inshore !== undefined, undefined, { timeout: 30_000 })
    .catch(() => {
      throw new Error(`the page's script did not run; is web/dist whole? ${page.problems.join('; ')}`);
    });
  return page;
}

/** Waits until a model is loaded, or throws the error that the page shows. */
export async function waitForEngine(page, timeoutMs = 180_000) {
  const outcome = await page.waitForFunction(
    () => {
      const error = document.querySelector('[data-testid=error]');
      if (error && !error.hidden) return { error: error.querySelector('p').textContent };
      const composer = document.querySelector('[data-testid=composer]');
      return composer && !composer.hidden ? { ready: true } : null;
    },
    undefined,
    { timeout: timeoutMs, polling: 100 },
  );
  const { error } = await outcome.jsonValue();
  if (error !== undefined) throw new Error(`the page says: ${error}`);
}

/**
 * Runs a request on the page's engine. With `budgetMs` it is stopped when the time is up (never before `atLeast`
 * tokens).
 */
export function generate(page, request, { budgetMs = null, atLeast = 0 } = {}) {
  return page.evaluate(
    async ({ request, budgetMs, atLeast }) => {
      const began = performance.now();
      const answer = window.inshore.engine.generate(request);
      let count = 0;
      for await (const _step of answer) {
        count += 1;
        if (budgetMs !== null && count >= atLeast && performance.now() - began > budgetMs) answer.stop();
      }
      const { finishReason, timings } = await answer.done;
      const promptIds = [...answer.promptIds];
      return { promptIds, ids: answer.ids, text: answer.text, steps: answer.steps, finishReason, timings };
    },
    { request, budgetMs, atLeast },
  );
}
