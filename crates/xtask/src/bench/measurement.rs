//! The record of one measurement: what a runner prints, one JSON object a line, and what is derived from it.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use super::golden::Prompt;

/// One prompt, answered once by one contestant. Runners measure times; speeds are computed here, for all alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// Name of the prompt.
    pub prompt: String,
    /// Tokens that were prefilled.
    pub prompt_tokens: usize,
    /// Tokens that came back.
    pub generated_tokens: usize,
    /// From bytes at hand (a file in the page cache, the browser's storage) to a ready model, in milliseconds.
    pub load_ms: f64,
    /// A few tokens generated before the measurement: shader compilation is in there. Absent: measured cold.
    pub warm_up_ms: Option<f64>,
    /// From the request to its first token, in milliseconds.
    pub ttft_ms: f64,
    /// From the first token to the last, in milliseconds.
    pub decode_ms: f64,
    /// The generated ids, where the contestant tells them.
    pub ids: Option<Vec<u32>>,
    /// The generated text, from those that tell no ids.
    pub text: Option<String>,
    /// Peak of the process, or of a browser's largest process, in bytes.
    pub peak_memory_bytes: Option<u64>,
    /// Peak of all processes of the browser, in bytes.
    pub peak_memory_all_bytes: Option<u64>,
    /// What computed.
    pub device: String,
    /// Whether that is a GPU emulated on the CPU.
    pub software_gpu: bool,
    /// By which way: `CPU`, `WASM SIMD`, `WebGPU`, `Vulkan`.
    pub backend: String,
    /// Versions of the runtime and what it runs in.
    pub version: String,
}

impl Measurement {
    /// Prompt tokens over the time to the first token, in tokens per second.
    pub fn prefill_tps(&self) -> f64 {
        self.prompt_tokens as f64 / self.ttft_ms * 1e3
    }

    /// Tokens after the first over the time they took, in tokens per second; nothing for a single token.
    pub fn decode_tps(&self) -> Option<f64> {
        (self.generated_tokens > 1).then(|| (self.generated_tokens - 1) as f64 / self.decode_ms * 1e3)
    }

    /// Reads a line that a runner printed for one of `prompts`.
    pub fn read(line: &str, prompts: &[Prompt]) -> Result<Self> {
        let this: Self = serde_json::from_str(line)?;
        this.check(prompts)?;
        Ok(this)
    }

    /// Refuses what cannot have been measured.
    pub fn check(&self, prompts: &[Prompt]) -> Result<()> {
        let Some(prompt) = prompts.iter().find(|prompt| prompt.name == self.prompt) else {
            bail!("nobody asked for the prompt {}", self.prompt);
        };
        if self.prompt_tokens != prompt.ids.len() {
            bail!("{} has {} tokens, not {}", self.prompt, prompt.ids.len(), self.prompt_tokens);
        }
        if self.generated_tokens == 0 {
            bail!("{}: no token came", self.prompt);
        }
        if self.ids.as_ref().is_some_and(|ids| ids.len() != self.generated_tokens) {
            bail!("{}: as many ids as tokens were expected", self.prompt);
        }
        let is_time = |ms: f64| ms.is_finite() && ms > 0.0;
        if !is_time(self.load_ms) || !is_time(self.ttft_ms) || !(is_time(self.decode_ms) || self.generated_tokens == 1)
        {
            bail!(
                "{}: load {} ms, TTFT {} ms, decode {} ms are not times",
                self.prompt,
                self.load_ms,
                self.ttft_ms,
                self.decode_ms
            );
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A measurement with round numbers.
    pub fn sample(prompt: &str, ttft_ms: f64, decode_ms: f64) -> Measurement {
        Measurement {
            prompt: prompt.to_owned(),
            prompt_tokens: 100,
            generated_tokens: 11,
            load_ms: 500.0,
            warm_up_ms: None,
            ttft_ms,
            decode_ms,
            ids: Some((0..11).collect()),
            text: None,
            peak_memory_bytes: Some(200 << 20),
            peak_memory_all_bytes: None,
            device: "CPU, 1 thread(s)".to_owned(),
            software_gpu: false,
            backend: "CPU".to_owned(),
            version: "inshore 0.1.0".to_owned(),
        }
    }

    fn prompts() -> [Prompt; 1] {
        [Prompt { name: "p".to_owned(), ids: vec![7; 100], text: String::new(), greedy: None }]
    }

    #[test]
    fn speeds_are_tokens_over_time() {
        let measured = sample("p", 500.0, 2000.0);
        assert!((measured.prefill_tps() - 200.0).abs() < 1e-9);
        assert!((measured.decode_tps().expect("several tokens") - 5.0).abs() < 1e-9);
        let one = Measurement { generated_tokens: 1, ids: None, decode_ms: 0.0, ..measured };
        assert_eq!(one.decode_tps(), None);
        one.check(&prompts()).expect("a single token takes no time to decode");
    }

    #[test]
    fn a_line_is_read_and_strange_ones_are_refused() {
        let line = serde_json::to_string(&sample("p", 500.0, 2000.0)).expect("plain data");
        Measurement::read(&line, &prompts()).expect("what was written");
        for (from, to) in [
            ("\"p\"", "\"q\""),
            (":100,", ":99,"),
            (":500.0,", ":-1.0,"),
            ("\"device\"", "\"devise\""),
            ("[0,", "["),
            ("\"generated_tokens\":11", "\"generated_tokens\":0"),
        ] {
            let broken = line.replacen(from, to, 1);
            assert_ne!(broken, line, "{from} is there");
            assert!(Measurement::read(&broken, &prompts()).is_err(), "{from} as {to}");
        }
    }
}
