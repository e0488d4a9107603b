//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use inshore_model::{DeviceChoice, GpuPlan, KvFormat, Sampling};

use crate::models::{DEFAULT_MODEL, ModelRef};

/// Small language models on your own device.
#[derive(Debug, Parser)]
#[command(name = "inshore", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer one prompt
    Generate(GenerateArgs),
    /// Talk with the model
    Chat(ChatArgs),
    /// Serve the OpenAI chat-completions protocol, the model file and a web page
    Serve(ServeArgs),
    /// List what can compute here
    Devices,
    /// Show what a GGUF file holds, reading only its header
    Inspect(InspectArgs),
    /// Download a model into the cache
    Pull(PullArgs),
    /// Look into the routing policy
    #[command(subcommand)]
    Route(RouteCommand),
}

/// Which model on which device.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// A GGUF file, a name, or hf:owner/repo/file.gguf[@revision]
    #[arg(long, short, default_value = DEFAULT_MODEL, value_parser = str::parse::<ModelRef>)]
    pub model: ModelRef,
    /// auto (a hardware GPU, else the CPU), gpu, gpu-least (as if it had only what every WebGPU device has), cpu, or an
    /// index of `inshore devices`
    #[arg(long, default_value = "auto", value_parser = device_choice)]
    pub device: DeviceChoice,
    /// CPU threads, at most one for each core [default: all]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Context, in tokens: prompt and answer together [default: the model's, at most 2048]
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..))]
    pub context: Option<u32>,
    /// Compute with f32 activations where the CPU would round them: slower, and closer to the original
    #[arg(long)]
    pub exact: bool,
    /// Keep keys and values in f16 (half the memory, faster in long contexts), f32, or on a CPU in q8_0 (a quarter)
    /// [default: f16, with --exact f32]
    #[arg(long, value_name = "FORMAT", value_parser = kv_format)]
    pub kv_cache: Option<KvFormat>,
    /// When to measure which kernels a GPU computes fastest with, on the first layer of the model
    #[arg(long, value_enum, default_value_t = Tune::Auto)]
    pub tune: Tune,
    /// Compute a GPU's products by this plan, as `inshore devices` writes them, and measure nothing
    #[arg(long, value_name = "PLAN", conflicts_with = "tune", value_parser = str::parse::<GpuPlan>)]
    pub gpu_plan: Option<GpuPlan>,
}

/// When to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tune {
    /// On a hardware GPU, once for each model
    Auto,
    /// Anew, on any GPU
    Always,
    /// Take the rule of thumb
    Never,
}

/// Smallest allowed limit of a request body; less could not hold a request.
const LEAST_BODY_BYTES: usize = 256;
/// Largest allowed limit. No context holds that much text, and each waiting request may use that much memory.
const MOST_BODY_BYTES: usize = 256 << 20;

fn body_bytes(given: &str) -> Result<usize, String> {
    let bytes: usize = given.parse().map_err(|_| "write a whole number of bytes".to_owned())?;
    let is_sensible = (LEAST_BODY_BYTES..=MOST_BODY_BYTES).contains(&bytes);
    is_sensible.then_some(bytes).ok_or_else(|| format!("must lie in {LEAST_BODY_BYTES}..{MOST_BODY_BYTES}"))
}

fn kv_format(given: &str) -> Result<KvFormat, String> {
    KvFormat::from_name(given).ok_or_else(|| "write f16, f32 or q8_0".to_owned())
}

fn device_choice(given: &str) -> Result<DeviceChoice, String> {
    match given {
        "auto" => Ok(DeviceChoice::Auto),
        "gpu" => Ok(DeviceChoice::Gpu),
        "gpu-least" => Ok(DeviceChoice::LeastGpu),
        "cpu" => Ok(DeviceChoice::Cpu),
        index => index
            .parse()
            .map(DeviceChoice::Adapter)
            .map_err(|_| "write auto, gpu, gpu-least, cpu, or an index that `inshore devices` lists".to_owned()),
    }
}

/// How tokens are drawn.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// 0: always the most probable token
    #[arg(long, value_parser = between::<0, 10>)]
    pub temperature: Option<f32>,
    /// Keep only the K most probable tokens; 0: all
    #[arg(long)]
    pub top_k: Option<u32>,
    /// Keep the most probable tokens that hold this probability mass
    #[arg(long, value_parser = between::<0, 1>)]
    pub top_p: Option<f32>,
    /// Drop tokens below this share of the most probable one
    #[arg(long, value_parser = between::<0, 1>)]
    pub min_p: Option<f32>,
    /// Divide the logits of tokens that were there; 1: off
    #[arg(long, value_parser = repetition_penalty)]
    pub repetition_penalty: Option<f32>,
    /// Subtract this per earlier occurrence
    #[arg(long, allow_negative_numbers = true, value_parser = between::<-2, 2>)]
    pub frequency_penalty: Option<f32>,
    /// Subtract this from tokens that were there
    #[arg(long, allow_negative_numbers = true, value_parser = between::<-2, 2>)]
    pub presence_penalty: Option<f32>,
    /// Same seed, same text [default: another one each time]
    #[arg(long)]
    pub seed: Option<u64>,
}

fn between<const LOW: i32, const HIGH: i32>(given: &str) -> Result<f32, String> {
    let value: f32 = given.parse().map_err(|_| "write a number".to_owned())?;
    let inside = (LOW as f32..=HIGH as f32).contains(&value);
    inside.then_some(value).ok_or_else(|| format!("must lie in {LOW}..{HIGH}"))
}

fn repetition_penalty(given: &str) -> Result<f32, String> {
    let value = between::<0, 10>(given)?;
    (value > 0.0).then_some(value).ok_or_else(|| "must be above 0".to_owned())
}

impl SamplingArgs {
    /// The engine's defaults with what was given, and a random seed if none was.
    pub fn sampling(&self) -> Sampling {
        let mut sampling = Sampling::default();
        let fields = [
            (&mut sampling.temperature, self.temperature),
            (&mut sampling.top_p, self.top_p),
            (&mut sampling.min_p, self.min_p),
            (&mut sampling.repetition_penalty, self.repetition_penalty),
            (&mut sampling.frequency_penalty, self.frequency_penalty),
            (&mut sampling.presence_penalty, self.presence_penalty),
        ];
        for (field, given) in fields {
            *field = given.unwrap_or(*field);
        }
        sampling.top_k = self.top_k.unwrap_or(sampling.top_k);
        sampling.seed = self.seed.unwrap_or_else(crate::engine::random_seed);
        sampling
    }
}

/// Arguments of `inshore generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Model and device.
    #[command(flatten)]
    pub model: ModelArgs,
    /// The prompt; standard input if none of the three is given
    #[arg(long, short, group = "input")]
    pub prompt: Option<String>,
    /// A UTF-8 file with the prompt (used whole, including a last line break); - for standard input
    #[arg(long, value_name = "FILE", group = "input")]
    pub prompt_file: Option<PathBuf>,
    /// A file of token ids, separated by whitespace; they are the whole prompt
    #[arg(long, value_name = "FILE", group = "input")]
    pub prompt_ids: Option<PathBuf>,
    /// Give the prompt to the model as it is, without its chat template; control tokens written in it take effect
    #[arg(long)]
    pub raw: bool,
    /// System message
    #[arg(long, conflicts_with_all = ["raw", "prompt_ids"])]
    pub system: Option<String>,
    /// Most tokens of the answer [default: until the context is full]
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// End the answer before this text (may be given more than once)
    #[arg(long)]
    pub stop: Vec<String>,
    /// Report the K most probable tokens of each position (with --json)
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=20))]
    pub logprobs: u32,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub json: bool,
    /// First answer with N tokens that nobody sees or measures: a GPU compiles its kernels meanwhile
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub warm_up: Option<u32>,
    /// Sampling.
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// Arguments of `inshore chat`.
#[derive(Debug, Args)]
pub struct ChatArgs {
    /// Model and device.
    #[command(flatten)]
    pub model: ModelArgs,
    /// System message
    #[arg(long)]
    pub system: Option<String>,
    /// Most tokens of an answer [default: until the context is full]
    #[arg(long, short = 'n', value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// Sampling.
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// Arguments of `inshore serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Model and device.
    #[command(flatten)]
    pub model: ModelArgs,
    /// Address to listen on; 0.0.0.0 opens it to the network, without any login
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8040)]
    pub port: u16,
    /// Folder of a built web page, served at /
    #[arg(long, value_name = "DIR")]
    pub web: Option<PathBuf>,
    /// Let pages of this origin call the API, e.g. https://app.example (may be given more than once)
    #[arg(long, value_name = "ORIGIN")]
    pub cors_origin: Vec<String>,
    /// Answer requests for this host name as well as localhost, e.g. mini-pc.local; * for any (may be given more than once)
    #[arg(long, value_name = "NAME")]
    pub allowed_host: Vec<String>,
    /// Conversations that go on without running again what was said; each takes the memory of a context
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub conversations: u16,
    /// Requests that may wait; further ones get 503
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    pub queue: u16,
    /// Largest request body, in bytes
    #[arg(long, default_value_t = 1 << 20, value_parser = body_bytes)]
    pub max_body_bytes: usize,
}

/// Arguments of `inshore inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The GGUF file
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// List every tensor
    #[arg(long)]
    pub tensors: bool,
}

/// Arguments of `inshore pull`.
#[derive(Debug, Args)]
pub struct PullArgs {
    /// A name, or hf:owner/repo/file.gguf[@revision]
    #[arg(default_value = DEFAULT_MODEL, value_parser = str::parse::<ModelRef>)]
    pub model: ModelRef,
}

/// Subcommands of `inshore route`.
#[derive(Debug, Subcommand)]
pub enum RouteCommand {
    /// Replay a recorded trace: what was decided when, and why
    Replay(ReplayArgs),
}

/// Arguments of `inshore route replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The trace, as JSONL: the configuration first, then events with their orders
    pub trace: PathBuf,
    /// Change a constant of the policy, e.g. stall_ms=2000 (may be given more than once); what happens after a decision
    /// remains what was recorded
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print JSON lines instead of a timeline
    #[arg(long)]
    pub json: bool,
    /// Fail if anything is decided otherwise than recorded
    #[arg(long)]
    pub check: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn devices_and_ranges_are_checked() {
        assert_eq!(device_choice("2"), Ok(DeviceChoice::Adapter(2)));
        assert!(device_choice("quantum").is_err());
        assert_eq!(kv_format("f32"), Ok(KvFormat::F32));
        assert_eq!(kv_format("q8_0"), Ok(KvFormat::Q8_0));
        assert!(kv_format("q8").is_err());
        assert!(between::<0, 1>("1.5").is_err() && between::<0, 1>("NaN").is_err() && between::<-2, 2>("-2").is_ok());
        assert!(repetition_penalty("0").is_err());
        assert!(body_bytes("0").is_err() && body_bytes("-1").is_err() && body_bytes("1e6").is_err());
        assert!(body_bytes("99999999999999999999").is_err() && body_bytes("4096") == Ok(4096));
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        for (arguments, part) in [
            (&["serve", "--queue", "0"][..], "1..=65535"),
            (&["serve", "--conversations", "0"], "1..=1024"),
            (&["serve", "--max-body-bytes", "0"], "must lie in 256"),
            (&["serve", "--port", "65536"], "0..=65535"),
            (&["serve", "--context", "0"], "2..=4294967295"),
            (&["serve", "--context", "-5"], "unexpected argument"),
            (&["generate", "--threads", "0"], "1..=65535"),
            (&["generate", "--threads", "70000"], "1..=65535"),
            (&["generate", "--max-tokens", "0"], "1..=4294967295"),
            (&["generate", "--temperature", "inf"], "must lie in 0..10"),
            (&["generate", "--top-p", "1.5"], "must lie in 0..1"),
            (&["generate", "--logprobs", "21"], "0..=20"),
            (&["generate", "--seed", "18446744073709551616"], "number too large"),
        ] {
            let error = Cli::try_parse_from(["inshore"].iter().chain(arguments)).expect_err("out of range").to_string();
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
        assert!(Cli::try_parse_from(["inshore", "serve", "--port", "0"]).is_ok());
    }
}
