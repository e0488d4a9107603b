import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { Config } from './config';
import { ApiError, rowOf } from './errors';
import type { SingleUse } from './single_use';

const ALGORITHM = 'HS256';
/** Nothing else that is signed with the same secret passes for a token. */
const AUDIENCE = 'inshore-worker/v1/chat';

/** What `POST /v1/token` answers. */
export interface MintedToken {
  token: string;
  /** Seconds. */
  expires_in: number;
}

/** Mints and spends the tokens of pages: one origin, one request, a short life. */
export class Tokens {
  constructor(
    readonly config: Pick<Config, 'origins' | 'tokenSecret' | 'tokenTtlS'>,
    readonly used: SingleUse,
  ) {}

  /**
   * A token for a page of this origin.
   *
   * @throws {ApiError} `origin_not_allowed`
   */
  async mint(origin: string | null): Promise<MintedToken> {
    if (origin === null || !this.config.origins.has(origin)) {
      throw new ApiError(403, 'origin_not_allowed', 'Tokens are for pages of the allowed origins only.');
    }
    const now = Math.floor(Date.now() / 1000);
    const token = await new SignJWT({ origin })
      .setProtectedHeader({ alg: ALGORITHM })
      .setAudience(AUDIENCE)
      .setJti(crypto.randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + this.config.tokenTtlS)
      .sign(this.config.tokenSecret);
    return { token, expires_in: this.config.tokenTtlS };
  }

  /**
   * Takes a request's bearer token; after this it is used up, whatever becomes of the request.
   *
   * @throws {ApiError} 401 `token_missing`, `token_invalid`, `token_expired`, `token_audience`, `token_foreign` or
   *   `token_replayed`; 503 `token_store_unavailable`
   */
  async spend(headers: Headers): Promise<void> {
    const { jti, exp, origin } = await this.#verify(bearerOf(headers));
    // A page cannot choose its Origin header, so a token that was carried to another page is of no use there.
    if (origin !== headers.get('origin') || !this.config.origins.has(String(origin))) {
      throw refusal(
        'token_foreign',
        'This token belongs to another origin; fetch one from the page that uses it.',
      );
    }
    if (typeof jti !== 'string' || exp === undefined) throw invalid();
    if (!(await this.#spendOnce(jti, exp))) {
      throw refusal('token_replayed', 'This token was used already; fetch a new one for each request.');
    }
  }

  async #verify(token: string): Promise<JWTPayload & { origin?: unknown }> {
    try {
      const { payload } = await jwtVerify(token, this.config.tokenSecret, {
        algorithms: [ALGORITHM],
        audience: AUDIENCE,
        requiredClaims: ['jti', 'iat', 'exp', 'origin'],
        // Also a token that claims a longer life lives no longer than ours do.
        maxTokenAge: this.config.tokenTtlS,
      });
      return payload;
    } catch (error) {
      throw refusalOf(error);
    }
  }

  async #spendOnce(id: string, expiresAtS: number): Promise<boolean> {
    try {
      return await this.used.spend(id, expiresAtS);
    } catch {
      // Fail closed: unable to tell is not a first use.
      throw new ApiError(
        503,
        'token_store_unavailable',
        'Tokens cannot be checked right now; try again later.',
      );
    }
  }
}

function bearerOf(headers: Headers): string {
  const token = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1];
  if (token !== undefined) return token;
  throw refusal(
    'token_missing',
    'This needs a token: POST /v1/token, then send it as `Authorization: Bearer`.',
  );
}

function refusalOf(error: unknown): ApiError {
  if (error instanceof errors.JWTExpired) {
    return refusal('token_expired', 'This token has expired; fetch a new one right before each request.');
  }
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud') {
    return refusal('token_audience', 'This token was made for something else; fetch one from /v1/token.');
  }
  return invalid();
}

type TokenCode =
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'token_audience'
  | 'token_foreign'
  | 'token_replayed';

const refusal = (code: TokenCode, message: string): ApiError => new ApiError(...rowOf(code), message);
const invalid = (): ApiError =>
  refusal('token_invalid', 'This is not a token of this worker; fetch one from /v1/token.');
