/** What is needed of the browser's Trusted Types; TypeScript's own library does not know them. */
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): ScriptUrlPolicy;
}
interface ScriptUrlPolicy {
  createScriptURL(url: string): string;
}
type WorkerKind = 'Worker' | 'SharedWorker';
type WorkerConstructor = new (...args: unknown[]) => object;

const POLICY = 'inshore';

/** Undefined: not asked for yet. Null: there is none. */
let policy: ScriptUrlPolicy | null | undefined;
/** The address that the policy lets through at this moment. */
let expected: string | undefined;

/**
 * Runs `start`, in which one of our own workers is made: its address goes through the Trusted Types policy `inshore`, for
 * under `require-trusted-types-for 'script'` a browser takes no plain one.
 *
 * Bundlers find a worker, and put their own address of it in, only where the global constructor is called on a literal
 * `URL` of its path: that form has no place for a policy. Therefore the global name leads here while `start` runs, which is
 * synchronous: nobody else sees it.
 */
export function startTrusted<W>(kind: WorkerKind, start: () => W): W {
  const through = openPolicy();
  if (through === null) return start();
  const scope = globalThis as unknown as Record<WorkerKind, WorkerConstructor>;
  const original = scope[kind];
  scope[kind] = new Proxy(original, {
    construct: (target, [url, ...rest]) => new target(trust(String(url), through), ...rest),
  });
  try {
    return start();
  } finally {
    scope[kind] = original;
  }
}

/** What is no file of this site stays a plain address, on which the browser decides. */
function trust(url: string, through: ScriptUrlPolicy): string {
  if (!isOwnFile(url)) return url;
  expected = url;
  try {
    return through.createScriptURL(url);
  } finally {
    expected = undefined;
  }
}

/** Bytes that somebody made at run time (`blob:`, `data:`) are not a file. */
function isOwnFile(url: string): boolean {
  const base = (globalThis as { document?: { baseURI: string } }).document?.baseURI ?? location.href;
  if (!URL.canParse(url, base)) return false;
  const { origin, protocol } = new URL(url, base);
  return origin === location.origin && protocol !== 'blob:' && protocol !== 'data:';
}

function openPolicy(): ScriptUrlPolicy | null {
  if (policy === undefined) policy = createPolicy();
  return policy;
}

/** Null also where the site's `trusted-types` does not name us: then workers start only if it requires none. */
function createPolicy(): ScriptUrlPolicy | null {
  const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
  if (trustedTypes === undefined) return null;
  try {
    return trustedTypes.createPolicy(POLICY, {
      createScriptURL(url) {
        if (url !== expected) throw new TypeError('The policy inshore is for the workers of inshore alone.');
        return url;
      },
    });
  } catch {
    return null;
  }
}
