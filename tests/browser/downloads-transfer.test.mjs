// Downloads over connections and servers that fail, in a real browser over real HTTP: each ends in the whole, checked
// model or in a typed error, never in other bytes.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  assertPartition,
  bytes,
  model,
  PATH,
  SIZE,
  serve,
  setUp,
  sha256,
  site,
  tab,
  unhashed,
  useModel,
} from './lib/downloads.mjs';
import { ggufBytes, randomFrom, rangesOf, sentBytes, serveModels, sha256Of } from './lib/model-site.mjs';
import { filesOf, obtain } from './lib/store-tab.mjs';

const LANES = 4;

setUp();

describe('a download', () => {
  test('comes in parallel ranges, each byte once', async () => {
    serve({ pace: 5 });
    assert.equal(await obtain(await tab(), model), sha256);
    assertPartition(rangesOf(site, PATH), SIZE);
    assert.equal(sentBytes(site), SIZE);
    assert.ok(site.most > 1 && site.most <= LANES, `${site.most} requests at once`);
  });

  test('needs no size and no hash, only the address', async () => {
    assert.equal(await obtain(await tab(), `${site.url}${PATH}`), sha256);
    assertPartition(rangesOf(site, PATH), SIZE);
  });

  test('cut 100 times at random places ends with the right file', { timeout: 300_000 }, async () => {
    const random = randomFrom(2_026);
    const cuts = () => site.log.filter(({ cut }) => cut).length;
    site.fault = () =>
      cuts() < 100 ? { cutAfter: Math.floor(random() * 70_000), reset: random() < 0.5 } : {};
    assert.equal(await obtain(await tab(), model), sha256);
    assert.ok(cuts() >= 100, `${cuts()} cuts`);
  });

  test('from a server without ranges comes in one stream', async () => {
    serve({ ranges: false });
    assert.equal(await obtain(await tab(), model), sha256);
    assert.deepEqual(
      site.log.map(({ status, sentBytes }) => [status, sentBytes]),
      [[200, SIZE]],
    );
  });

  test('from a server without ranges begins again where it broke', async () => {
    serve({ ranges: false, etag: undefined, chunked: true });
    site.fault = (_, n) => (n === 1 ? { cutAfter: 1_000_000 } : {});
    assert.equal(await obtain(await tab(), unhashed()), sha256);
    assert.deepEqual(
      site.log.map((entry) => entry.range),
      ['bytes=0-1048575', ''],
    );
  });

  test('survives bursts of server errors', async () => {
    site.fault = (_, n) => (n % 5 < 2 ? { status: [500, 502, 503, 504][n % 4] } : {});
    assert.equal(await obtain(await tab(), model), sha256);
    assert.ok(site.log.filter(({ status }) => status >= 500).length >= 2);
  });

  test('waits as long as `Retry-After` says, with every request', async () => {
    let refused;
    site.fault = ({ at }, n) => {
      if (n !== 2) return {};
      refused = at;
      return { status: 429, retryAfter: '3' };
    };
    serve({ pace: 2 });
    assert.equal(await obtain(await tab(), model), sha256);
    const next = site.log.find(({ at }) => at > refused + 200);
    assert.ok(next.at - refused >= 2_950, `asked again after ${next.at - refused} ms`);
  });

  test('of a server that asks for an hour ends at once', async () => {
    site.fault = () => ({ status: 503, retryAfter: '3600' });
    assert.equal(await obtain(await tab(), model), 'server_busy');
    assert.equal(site.log.length, 1);
  });

  test('is not misled by compression, here or across origins', async () => {
    // Compresses well, so that the length on the wire is far from the file's.
    useModel(Buffer.alloc(SIZE, 'GGUF\u0004\0\0\0 and the like '));
    const other = await serveModels({ sources: false });
    const page = await tab();
    // The other origin says neither its validators nor that it compresses.
    for (const [from, headers] of [
      [site, {}],
      [other, { 'Access-Control-Allow-Origin': '*' }],
    ]) {
      from.files.set(PATH, { bytes, gzip: true, ranges: false, headers });
      // A browser accepts no compression of a range; of the second request, which asks for all, it does.
      from.fault = (_, n) => (n === 1 ? { cutAfter: 1_000_000 } : {});
      assert.equal(await obtain(page, { name: 'Test', url: from.url + PATH }), sha256Of(bytes));
      assert.deepEqual(
        from.log.map(({ zipped }) => Boolean(zipped)),
        [false, true],
      );
    }
    await other.close();
  });

  test('of a server that compresses what must not be ends in an error', async () => {
    serve({ gzip: 'always', ranges: false });
    const page = await tab();
    assert.equal(await obtain(page, model), 'network_failed');
    assert.deepEqual(await filesOf(page), {});
  });

  test('across origins needs no leave for its headers, and still sees a change', async () => {
    const other = await serveModels({ sources: false });
    const headers = {
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Expose-Headers': 'Content-Range, ETag',
    };
    other.files.set(PATH, { bytes, etag: '"v1"', headers });
    other.fault = (_, n) => {
      if (n === 3) other.files.set(PATH, { bytes: ggufBytes(SIZE, 999), etag: '"v2"', headers });
      return {};
    };
    const page = await tab();
    assert.equal(await obtain(page, { name: 'Away', url: other.url + PATH }), sha256Of(ggufBytes(SIZE, 999)));
    assert.deepEqual([...new Set(other.log.map(({ method }) => method))], ['GET']);
    await other.close();
  });
});

describe('a file that changes on the server', () => {
  const change = (more) => {
    serve({ pace: 5, ...more });
    site.fault = (_, n) => {
      if (n === 3) site.files.set(PATH, { bytes: ggufBytes(SIZE, 77), etag: '"v2"', ...more });
      return n < 3 ? { cutAfter: 500_000 } : {};
    };
  };

  test('is fetched anew, and never mixed', async () => {
    change();
    assert.equal(await obtain(await tab(), unhashed()), sha256Of(ggufBytes(SIZE, 77)));
    // Asked for under the condition that it is the same still.
    assert.ok(site.log.some(({ condition, status }) => condition === '"v1"' && status === 200));
  });

  test('is a wrong hash where one is known', async () => {
    change();
    const page = await tab();
    assert.equal(await obtain(page, model), 'wrong_hash');
    assert.deepEqual(await filesOf(page), {});
  });

  test('without a validator is a wrong hash or the right file, never a mix', async () => {
    change({ etag: undefined });
    assert.equal(await obtain(await tab(), model), 'wrong_hash');
  });
});

describe('what is refused, with nothing kept', () => {
  const serveInstead = (text) => {
    serve({ bytes: Buffer.from(text), ranges: false });
    delete model.bytes;
  };
  const CASES = [
    ['a model that is not there', 'model_not_found', () => site.files.delete(PATH)],
    [
      'one that is not allowed',
      'access_denied',
      () => {
        site.fault = () => ({ status: 403 });
      },
    ],
    ['another file of the same size', 'wrong_hash', () => serve({ bytes: ggufBytes(SIZE, 1234) })],
    ['a truncated file', 'wrong_size', () => serve({ bytes: bytes.subarray(0, SIZE - 1) })],
    ['a web page', 'not_gguf', () => serveInstead('<!doctype html><title>Sign in</title>')],
    ['a Git LFS pointer', 'not_gguf', () => serveInstead('version https://git-lfs.github.com/spec/v1\n')],
    ['an empty body', 'not_gguf', () => serveInstead('')],
    [
      'a header without its tensors',
      'truncated',
      () => {
        serveInstead(`GGUF\u0003\0\0\0\u0001${'\0'.repeat(15)}`);
        delete model.sha256;
      },
    ],
    [
      'a part that is called the whole',
      'bad_range',
      () => serve({ ranges: false, headers: { 'Content-Range': `bytes 0-${SIZE - 1}/${2 * SIZE}` } }),
    ],
  ];
  for (const [name, code, prepare] of CASES) {
    test(`${name}: ${code}`, async () => {
      prepare();
      const page = await tab();
      assert.equal(await obtain(page, model), code);
      assert.deepEqual(await filesOf(page), {});
    });
  }
});
