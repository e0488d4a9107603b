//! Device code of sampling. Logits are handled as their images in the integers ([`order_key`](super::reference::order_key)),
//! which keep the order and have no infinities or NaN, of which WGSL promises nothing.

use cubecl::prelude::*;

/// Units of the one cube.
pub(crate) const UNITS: usize = 256;
/// Units that share a partial result.
const FOLD: usize = 16;
/// Image of minus infinity: the least of all logits.
const KEY_NONE: u32 = 0x007f_ffff;
/// Image of the largest finite value, and also of plus infinity and NaN. Logits with one of those are not a distribution.
const KEY_LARGEST: u32 = 0xff7f_ffff;
/// Bits of minus infinity.
const MINUS_INFINITY: u32 = 0xff80_0000;

/// What a launch needs to know beside the tensors; the flags choose what the kernel contains.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Draw {
    pub vocab: usize,
    pub entries: usize,
    pub temperature: f32,
    pub top_k: f32,
    pub top_p: f32,
    /// `temperature * ln(min_p)`.
    pub ratio_offset: f32,
    pub repetition_penalty: f32,
    pub frequency_penalty: f32,
    pub presence_penalty: f32,
    pub top_logprobs: usize,
    #[cube(comptime)]
    pub flags: Flags,
}

/// Parts of the algorithm that a draw uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flags {
    pub penalise: bool,
    pub noise: bool,
    pub top_k: bool,
    pub top_p: bool,
    pub min_p: bool,
}

/// Workgroup memory of the reductions.
#[derive(CubeType)]
struct Board {
    keys: Shared<[u32]>,
    ids: Shared<[u32]>,
    folded_keys: Shared<[u32]>,
    folded_ids: Shared<[u32]>,
    sums: Shared<[Vector<f32, Const<4>>]>,
    folded_sums: Shared<[Vector<f32, Const<4>>]>,
}

/// See the description of the algorithm at [`crate::sample`]. `scratch: [vocab]` holds the penalised keys.
#[cube(launch)]
pub(crate) fn sample(logits: &[f32], history: &[u32], scratch: &mut [u32], out: &mut [u32], draw: &Draw) {
    let unit = UNIT_POS as usize;
    let flags = comptime!(draw.flags);
    let mut board = Board {
        keys: Shared::<[u32]>::new_slice(UNITS),
        ids: Shared::<[u32]>::new_slice(UNITS),
        folded_keys: Shared::<[u32]>::new_slice(FOLD),
        folded_ids: Shared::<[u32]>::new_slice(FOLD),
        sums: Shared::<[Vector<f32, Const<4>>]>::new_slice(UNITS),
        folded_sums: Shared::<[Vector<f32, Const<4>>]>::new_slice(FOLD),
    };

    // Keys of all logits, and the largest.
    let mut best_key = 0u32;
    let mut i = unit;
    while i < draw.vocab {
        let key = bounded_key(logits[i]);
        scratch[i] = key;
        best_key = max(best_key, key);
        i += UNITS;
    }
    let model_max = value_of(board.largest(best_key, 0u32).0);

    let mut sum = 0.0f32;
    let mut i = unit;
    while i < draw.vocab {
        sum += weight_of(bounded_key(logits[i]), model_max, 1.0f32);
        i += UNITS;
    }
    let ln_sum = board.total(Vector::<f32, Const<4>>::new(sum)).extract(0usize).ln();

    if comptime!(flags.penalise) {
        sync_storage();
        let mut i = unit;
        while i < draw.entries {
            penalise(logits, history, scratch, draw, i);
            i += UNITS;
        }
        sync_storage();
    }

    // The largest penalised logit, with the lowest id of equals.
    let mut best_key = 0u32;
    let mut best_id = 0xffff_ffffu32;
    let mut i = unit;
    while i < draw.vocab {
        let key = unsigned_zero(scratch[i]);
        if key > best_key {
            best_key = key;
            best_id = i as u32;
        }
        i += UNITS;
    }
    let (max_key, max_id) = board.largest(best_key, best_id);
    let mut id = select(max_key > KEY_NONE, max_id, 0u32);

    if comptime!(flags.noise) {
        let noise_key = history[draw.entries * 2];
        let max_value = value_of(max_key);
        let mut threshold = 0u32;
        if comptime!(flags.top_k) {
            threshold = largest_reached(&*scratch, draw, &mut board, (0u32, draw.top_k, max_value), false);
        }
        if comptime!(flags.top_p) {
            let mut sum = 0.0f32;
            let mut i = unit;
            while i < draw.vocab {
                let key = scratch[i];
                let weight = weight_of(key, max_value, draw.temperature);
                sum += select(key >= threshold, weight, 0.0f32);
                i += UNITS;
            }
            let wanted = draw.top_p * board.total(Vector::<f32, Const<4>>::new(sum)).extract(0usize);
            let by_mass = largest_reached(&*scratch, draw, &mut board, (threshold, wanted, max_value), true);
            threshold = max(threshold, min(by_mass, key_of(max_value)));
        }
        if comptime!(flags.min_p) {
            threshold = max(threshold, key_of(max_value + draw.ratio_offset));
        }

        let mut best_key = 0u32;
        let mut best_id = 0xffff_ffffu32;
        let mut i = unit;
        while i < draw.vocab {
            let key = scratch[i];
            if key > KEY_NONE && key >= threshold {
                let noise = gumbel(pcg(pcg(i as u32) ^ noise_key));
                let score = unsigned_zero(key_of((value_of(key) - max_value) / draw.temperature + noise));
                if score > best_key {
                    best_key = score;
                    best_id = i as u32;
                }
            }
            i += UNITS;
        }
        let (score, drawn) = board.largest(best_key, best_id);
        id = select(score > 0u32, drawn, 0u32);
    }
    if unit == 0 {
        report(logits, out, (0usize, id), (model_max, ln_sum));
    }

    // The most probable tokens: each the largest in the order (key, then id) after the one before.
    let mut key_before = 0xffff_ffffu32;
    let mut id_before = 0u32;
    for rank in 0..draw.top_logprobs {
        let mut best_key = 0u32;
        let mut best_id = 0xffff_ffffu32;
        let mut i = unit;
        while i < draw.vocab {
            let key = bounded_key(logits[i]);
            let after = key < key_before || (key == key_before && i as u32 > id_before);
            if after && key > best_key {
                best_key = key;
                best_id = i as u32;
            }
            i += UNITS;
        }
        let (key, id) = board.largest(best_key, best_id);
        key_before = key;
        id_before = id;
        if unit == 0 {
            report(logits, out, (rank + 1, id), (model_max, ln_sum));
        }
    }
}

#[cube]
impl Board {
    /// The largest key of all units with its id, the lowest id of equals.
    fn largest(&mut self, key: u32, id: u32) -> (u32, u32) {
        let unit = UNIT_POS as usize;
        self.keys[unit] = key;
        self.ids[unit] = id;
        sync_cube();
        if unit < FOLD {
            let mut best_key = self.keys[unit * FOLD];
            let mut best_id = self.ids[unit * FOLD];
            for j in 1..FOLD {
                let key = self.keys[unit * FOLD + j];
                let id = self.ids[unit * FOLD + j];
                let better = key > best_key || (key == best_key && id < best_id);
                best_key = select(better, key, best_key);
                best_id = select(better, id, best_id);
            }
            self.folded_keys[unit] = best_key;
            self.folded_ids[unit] = best_id;
        }
        sync_cube();
        let mut best_key = self.folded_keys[0usize];
        let mut best_id = self.folded_ids[0usize];
        for j in 1..FOLD {
            let key = self.folded_keys[j];
            let id = self.folded_ids[j];
            let better = key > best_key || (key == best_key && id < best_id);
            best_key = select(better, key, best_key);
            best_id = select(better, id, best_id);
        }
        sync_cube();
        (best_key, best_id)
    }

    /// The sum over all units, the same bits in every unit.
    fn total(&mut self, value: Vector<f32, Const<4>>) -> Vector<f32, Const<4>> {
        let unit = UNIT_POS as usize;
        self.sums[unit] = value;
        sync_cube();
        if unit < FOLD {
            let mut sum = self.sums[unit * FOLD];
            for j in 1..FOLD {
                sum += self.sums[unit * FOLD + j];
            }
            self.folded_sums[unit] = sum;
        }
        sync_cube();
        let mut sum = self.folded_sums[0usize];
        for j in 1..FOLD {
            sum += self.folded_sums[j];
        }
        sync_cube();
        sum
    }
}

/// The largest key so that the logits with at least this key hold `wanted`: of their number or, with `mass`, of their
/// weights, where only logits from `floor` on count. Two bits a pass.
/// `aim`: floor, wanted, largest logit.
#[cube]
fn largest_reached(
    scratch: &[u32],
    draw: &Draw,
    board: &mut Board,
    aim: (u32, f32, f32),
    #[comptime] mass: bool,
) -> u32 {
    let (floor, wanted, max_value) = aim;
    let mut found = 0u32;
    for pass in 0..16u32 {
        let shift = 30u32 - pass * 2u32;
        let one = found | (1u32 << shift);
        let two = found | (2u32 << shift);
        let three = found | (3u32 << shift);
        let mut sums = Vector::<f32, Const<4>>::new(0.0f32);
        let mut i = UNIT_POS as usize;
        while i < draw.vocab {
            let key = scratch[i];
            let weight = if comptime!(mass) {
                select(key >= floor, weight_of(key, max_value, draw.temperature), 0.0f32)
            } else {
                1.0f32.runtime()
            };
            let mut reached = Vector::<f32, Const<4>>::new(0.0f32);
            reached.insert(1usize, select(key >= one, weight, 0.0f32));
            reached.insert(2usize, select(key >= two, weight, 0.0f32));
            reached.insert(3usize, select(key >= three, weight, 0.0f32));
            sums += reached;
            i += UNITS;
        }
        let sums = board.total(sums);
        found = select(
            sums.extract(3usize) >= wanted,
            three,
            select(sums.extract(2usize) >= wanted, two, select(sums.extract(1usize) >= wanted, one, found)),
        );
    }
    found
}

/// Applies the penalties to the token of a history entry.
#[cube]
fn penalise(logits: &[f32], history: &[u32], scratch: &mut [u32], draw: &Draw, entry: usize) {
    let id = history[entry * 2] as usize;
    let count = history[entry * 2 + 1];
    if count > 0u32 && id < draw.vocab {
        let key = bounded_key(logits[id]);
        let logit = value_of(key);
        let repeated = select(logit > 0.0f32, logit / draw.repetition_penalty, logit * draw.repetition_penalty);
        let less = draw.frequency_penalty * f32::cast_from(count) + draw.presence_penalty;
        scratch[id] = select(key > KEY_NONE, bounded_key(repeated - less), key);
    }
}

/// Writes a token and its log-probability as pair `at.0` of the result.
#[cube]
fn report(logits: &[f32], out: &mut [u32], at: (usize, u32), norm: (f32, f32)) {
    let (pair, id) = at;
    let found = id != 0xffff_ffffu32;
    let key = bounded_key(logits[select(found, id, 0u32) as usize]);
    let logprob = u32::reinterpret(value_of(key) - norm.0 - norm.1);
    let is_distribution = key_of(norm.0) < KEY_LARGEST;
    out[pair * 2] = id;
    out[pair * 2 + 1] = select(found && is_distribution && key > KEY_NONE, logprob, MINUS_INFINITY);
}

/// The image of a value in the integers that keeps the order of f32.
#[cube]
fn key_of(value: f32) -> u32 {
    let bits = u32::reinterpret(value);
    select(bits >> 31u32 == 1u32, !bits, bits | 0x8000_0000u32)
}

/// As [`key_of`]; NaN and plus infinity count as the largest finite value.
#[cube]
fn bounded_key(value: f32) -> u32 {
    let bits = u32::reinterpret(value);
    let nan = (bits & 0x7fff_ffffu32) > 0x7f80_0000u32;
    min(select(nan, KEY_LARGEST, key_of(value)), KEY_LARGEST)
}

/// The value whose image is `key`.
#[cube]
fn value_of(key: u32) -> f32 {
    f32::reinterpret(select(key >> 31u32 == 1u32, key ^ 0x8000_0000u32, !key))
}

/// The key of plus zero for minus zero: equals for a comparison of f32.
#[cube]
fn unsigned_zero(key: u32) -> u32 {
    select(key == 0x7fff_ffffu32, 0x8000_0000u32, key)
}

/// `e^((logit - max) / temperature)`, 0 for minus infinity.
#[cube]
fn weight_of(key: u32, max_value: f32, temperature: f32) -> f32 {
    select(key > KEY_NONE, ((value_of(key) - max_value) / temperature).exp(), 0.0f32)
}

/// As [`reference::pcg`](super::reference::pcg).
#[cube]
fn pcg(word: u32) -> u32 {
    let state = word * 747_796_405u32 + 2_891_336_453u32;
    let mixed = ((state >> ((state >> 28u32) + 4u32)) ^ state) * 277_803_737u32;
    (mixed >> 22u32) ^ mixed
}

/// As [`reference::gumbel`](super::reference::gumbel).
#[cube]
fn gumbel(bits: u32) -> f32 {
    let w = (f32::cast_from(bits >> 9u32) + 0.5f32) * comptime!(1.0f32 / 8_388_608.0f32);
    let s = w / (2.0f32 - w);
    let s2 = s * s;
    let series = comptime!(1.0f32 / 11.0f32) + s2 * comptime!(1.0f32 / 13.0f32);
    let series = comptime!(1.0f32 / 7.0f32) + s2 * (comptime!(1.0f32 / 9.0f32) + s2 * series);
    let series = comptime!(1.0f32 / 3.0f32) + s2 * (comptime!(1.0f32 / 5.0f32) + s2 * series);
    let near_one = 2.0f32 * s * (1.0f32 + s2 * series);
    let exponential = select(w < 0.5f32, near_one, -(1.0f32 - w).ln());
    -exponential.ln()
}
