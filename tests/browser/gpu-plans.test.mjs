// How a GPU computes products: measured at load when asked, remembered by the browser, taken the next time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { blankPage, serveSources } from './lib/dev-site.mjs';

describe('the plan of a GPU', { timeout: 900_000 }, () => {
  let site;
  let context;
  let page;
  let key;
  before(async () => {
    site = await serveSources();
    context = await launch('swiftshader');
    ({ page, key } = await blankPage(context, site));
    page.setDefaultTimeout(600_000);
  });
  after(async () => {
    await context?.close();
    await site?.close();
  });

  /** Loads the model in a worker of its own; gives the plan that it computes by. */
  const planOf = (options) =>
    page.evaluate(
      async ({ key, options }) => {
        const { openSession } = await import('/src/engine/session.ts');
        const { engine, info } = await openSession(key, 'gpu', { contextTokens: 512, ...options });
        engine.close();
        return info.gpuPlan;
      },
      { key, options },
    );

  /** What the browser remembers. */
  const remembered = () =>
    page.evaluate(async () => {
      const { openRecords } = await import('/src/records.ts');
      return openRecords('inshore-gpu-plans', 'plans').get('all');
    });

  const keep = (plans) =>
    page.evaluate(async (plans) => {
      const { openRecords } = await import('/src/records.ts');
      await openRecords('inshore-gpu-plans', 'plans').put('all', plans);
    }, plans);

  test('an emulated adapter keeps to the rule of thumb and measures nothing', async () => {
    const rule = await planOf({ tune: 'never' });
    assert.match(rule, /^\d+ rows\/.+\/\d+x\d+\/\d+ parts$/);
    assert.equal(await planOf({}), rule);
    assert.equal(await remembered(), undefined);
    // A damaged record is as good as none.
    for (const damaged of [7, { adapter: 7 }]) {
      await keep(damaged);
      assert.equal(await planOf({}), rule);
    }
  });

  test('what is measured is remembered, and computed by the next time', async (t) => {
    const measured = await planOf({ tune: 'always' });
    t.diagnostic(`measured: ${measured}`);
    const plans = Object.entries(await remembered());
    assert.equal(plans.length, 1);
    const [[measuredOn, plan]] = plans;
    assert.equal(plan, measured);
    assert.match(measuredOn, /inshore \d/, 'a plan of another version is not taken');

    // Another plan in its place is the one that the next load takes, so nothing is measured then.
    const other = '8 rows/workgroup/32x32/1 parts';
    assert.notEqual(other, measured);
    await keep({ [measuredOn]: other });
    assert.equal(await planOf({}), other);
    assert.equal(await planOf({ gpuPlan: measured }), measured, 'a given plan counts more');
  });
});
