import { describe, expect, it } from 'vitest';
import {
  cloudOptions,
  DEFAULT_SETTINGS,
  endpointProblem,
  fromSlider,
  fromStored,
  SLO_RANGE,
  toSlider,
  toStored,
} from './settings';

describe('settings', () => {
  it('come back as they were, but for the token', () => {
    const set = {
      ...DEFAULT_SETTINGS,
      mode: 'prefer_in_cloud' as const,
      neverCloud: false,
      endpoint: 'https://api.example/v1',
      token: 'secret-value',
      slo: { ttft_ms: 500, tokens_per_second: 20 },
    };
    expect(toStored(set)).not.toContain('secret-value');
    expect(fromStored(toStored(set))).toEqual({ ...set, token: '' });
  });

  it.each([null, '', '{', '[]', '"x"', 'null', '{"mode":"root","slo":7,"neverCloud":0,"continuation":[]}'])(
    'what cannot be read takes its default: %s',
    (stored) => expect(fromStored(stored)).toEqual(DEFAULT_SETTINGS),
  );

  it('does not take inherited names for modes', () => {
    expect(fromStored('{"mode":"constructor"}').mode).toBe('auto');
  });

  it('the cloud is this origin unless said otherwise', () => {
    expect(cloudOptions(DEFAULT_SETTINGS, 'http://localhost:1', 'm')).toEqual({
      baseURL: 'http://localhost:1/v1',
      model: 'm',
      continuation: 'token_ids',
      source: 'in_cloud',
    });
    const other = {
      ...DEFAULT_SETTINGS,
      endpoint: 'https://a.example/v1/',
      cloudModel: 'n',
      tokenRoute: 'https://a.example/token',
    };
    expect(cloudOptions(other, 'http://localhost:1', 'm')).toMatchObject({
      baseURL: 'https://a.example/v1',
      model: 'n',
      token: 'https://a.example/token',
    });
  });

  it.each([
    ['', true],
    ['https://api.example/v1', true],
    ['http://localhost:8080/v1', true],
    ['http://127.0.0.1:8080/v1', true],
    ['http://api.example/v1', false],
    ['api.example', false],
    ['javascript:alert(1)', false],
    ['https://user:pass@api.example/v1', false],
    ['https://api.example/v1?key=1', false],
  ])('endpoint %j', (typed, fine) => expect(endpointProblem(typed) === undefined).toBe(fine));

  it('sliders go there and back', () => {
    for (const range of Object.values(SLO_RANGE)) {
      expect(fromSlider(0, range)).toBe(range.min);
      expect(fromSlider(1000, range)).toBe(range.max);
      for (const place of [1, 250, 500, 999]) {
        const value = fromSlider(place, range);
        expect(value).toBeGreaterThanOrEqual(range.min);
        // Rounded to two digits, so the place comes back only nearly.
        expect(Math.abs(toSlider(value, range) - place)).toBeLessThan(25);
      }
    }
  });
});
