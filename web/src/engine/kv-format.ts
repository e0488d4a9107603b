import type { KvFormat, LoadSettings } from './protocol';

/** How keys and values are kept, also where nobody said: as `LoadOptions::kv_format` of the engine. */
export const kvFormat = ({ kvCache, exact }: Pick<LoadSettings, 'kvCache' | 'exact'>): KvFormat =>
  kvCache ?? (exact ? 'f32' : 'f16');
