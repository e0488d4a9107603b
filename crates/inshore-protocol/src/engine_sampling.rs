//! Sampling parameters as JavaScript hands them to the engine.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::fields::seed_of_number;
use crate::schema::{MAX_SAFE_INTEGER, MAX_TOP_LOGPROBS};
use crate::{ErrorCode, RequestError, Sampling};

/// What a page may say of an answer in numbers. Each one is taken as JavaScript has it and checked here: a number that no
/// engine can use is the request's fault, not the engine's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineSampling {
    temperature: Option<f64>,
    top_k: Option<f64>,
    top_p: Option<f64>,
    min_p: Option<f64>,
    repetition_penalty: Option<f64>,
    frequency_penalty: Option<f64>,
    presence_penalty: Option<f64>,
    seed: Option<Seed>,
}

/// A 64-bit integer, signed or not, as a number or a bigint.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seed(u64);

impl EngineSampling {
    /// The parameters; those whose range depends on the engine are left to it.
    ///
    /// # Errors
    /// `invalid_sampling` naming the first parameter that is no number which the engine can hold.
    pub fn checked(&self) -> Result<Sampling, RequestError> {
        let top_k = self.top_k.map(|value| count("top_k", value, -1.0, f64::from(u32::MAX))).transpose()?;
        Ok(Sampling {
            temperature: single("temperature", self.temperature)?,
            // 0 is what some clients send for "only the most probable token".
            top_p: single("top_p", self.top_p)?.map(|top_p| if top_p == 0.0 { f32::MIN_POSITIVE } else { top_p }),
            top_k: top_k.map(|value| value as u32),
            min_p: single("min_p", self.min_p)?,
            repetition_penalty: single("repetition_penalty", self.repetition_penalty)?,
            frequency_penalty: single("frequency_penalty", self.frequency_penalty)?,
            presence_penalty: single("presence_penalty", self.presence_penalty)?,
            seed: self.seed.map(|Seed(seed)| seed),
        })
    }
}

/// Checks the most tokens that an engine may generate; 0 is allowed, for an answer that goes on may have none left.
///
/// # Errors
/// `invalid_sampling` if it is not a whole number of at least 0.
pub fn checked_max_tokens(value: f64) -> Result<u64, RequestError> {
    count("max_tokens", value, 0.0, MAX_SAFE_INTEGER as f64).map(|value| value as u64)
}

/// Checks the number of alternatives to report for each token.
///
/// # Errors
/// `invalid_sampling` if it is not a whole number in 0..20.
pub fn checked_top_logprobs(value: f64) -> Result<u32, RequestError> {
    count("top_logprobs", value, 0.0, MAX_TOP_LOGPROBS as f64).map(|value| value as u32)
}

fn single(name: &str, value: Option<f64>) -> Result<Option<f32>, RequestError> {
    match value.map(|value| value as f32) {
        Some(single) if !single.is_finite() => {
            Err(wrong(name, &format!("is {}, and must be a finite number", value.unwrap_or_default())))
        }
        single => Ok(single),
    }
}

fn count(name: &str, value: f64, low: f64, high: f64) -> Result<f64, RequestError> {
    if value.fract() == 0.0 && (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(wrong(name, &format!("is {value}, and must be a whole number in {low}..{high}")))
}

fn wrong(name: &str, what: &str) -> RequestError {
    RequestError { code: ErrorCode::InvalidSampling, param: Some(name.to_owned()), message: format!("{name} {what}.") }
}

impl<'de> Deserialize<'de> for Seed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeedVisitor)
    }
}

struct SeedVisitor;

impl Visitor<'_> for SeedVisitor {
    type Value = Seed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 64-bit integer as a seed")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Seed, E> {
        Ok(Seed(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Seed, E> {
        Ok(Seed(value.cast_unsigned()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Seed, E> {
        seed_of_number(value)
            .map(Seed)
            .ok_or_else(|| E::custom(format!("seed is {value}, and must be a 64-bit integer")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(json: &str) -> Result<Sampling, ErrorCode> {
        let given: EngineSampling = serde_json::from_str(json).map_err(|_| ErrorCode::InvalidArgument)?;
        given.checked().map_err(|error| error.code)
    }

    #[test]
    fn any_64_bit_seed_is_taken_and_nothing_else() {
        for (seed, expected) in [
            ("-1", u64::MAX),
            ("18446744073709551615", u64::MAX),
            ("-9223372036854775808", 1 << 63),
            ("9007199254740993", 9_007_199_254_740_993),
            ("1.8446744073709552e19", u64::MAX),
            ("3.0", 3),
        ] {
            assert_eq!(checked(&format!("{{\"seed\": {seed}}}")).unwrap().seed, Some(expected), "{seed}");
        }
        for seed in ["0.5", "1e20", "-1e19", "\"7\"", "[1]", "true"] {
            assert_eq!(checked(&format!("{{\"seed\": {seed}}}")), Err(ErrorCode::InvalidArgument), "{seed}");
        }
    }

    #[test]
    fn numbers_that_no_engine_holds_are_the_requests_fault() {
        for (name, value) in
            [("temperature", "1e300"), ("minP", "-1e39"), ("topK", "1.5"), ("topK", "-2"), ("topK", "4294967296")]
        {
            assert_eq!(checked(&format!("{{\"{name}\": {value}}}")), Err(ErrorCode::InvalidSampling), "{name}");
        }
        let not_a_number = EngineSampling { temperature: Some(f64::NAN), ..EngineSampling::default() };
        assert_eq!(not_a_number.checked().unwrap_err().code, ErrorCode::InvalidSampling);
        assert_eq!(checked("{\"tempreature\": 1}"), Err(ErrorCode::InvalidArgument));
        assert_eq!(checked("{\"topK\": -1, \"topP\": 0}").unwrap().top_k, Some(0));
        for bad in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert!(checked_max_tokens(bad).is_err() && checked_top_logprobs(bad).is_err(), "{bad}");
        }
        assert_eq!((checked_max_tokens(0.0), checked_top_logprobs(20.0)), (Ok(0), Ok(20)));
    }
}
