//! `inshore generate`: one prompt, one answer.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use inshore_model::{
    BackendKind, Engine, FinishReason, Generation, Message, ModelInfo, Prompt, Request, Step, StepOutcome,
};
use serde::Serialize;

use crate::cli::GenerateArgs;
use crate::engine::{self, EngineLoader};
use crate::interrupt::{EXIT_INTERRUPTED, Interrupt};
use crate::launch_time::{LaunchTimes, timed};
use crate::note;
use crate::output::{self, OutputError};
use crate::peak_memory::peak_rss_bytes;
use crate::prompt_file::{self, Origin};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Report<'a> {
    prompt_ids: &'a [u32],
    ids: &'a [u32],
    text: &'a str,
    finish_reason: &'static str,
    /// One list per generated token; the first belongs to the last position of the prompt.
    top_logprobs: &'a [Vec<TokenLogprob>],
    load_ms: f64,
    ttft_ms: f64,
    prefill_tps: f64,
    decode_tps: f64,
    /// On a GPU: what handing over the kernels of a token takes, in the median, in microseconds.
    launch_us: Option<f64>,
    peak_rss_bytes: Option<u64>,
    device: &'a str,
    backend: &'a str,
    model: &'a str,
    seed: u64,
}

#[derive(Debug, Serialize)]
struct TokenLogprob {
    id: u32,
    token: String,
    logprob: f32,
}

/// Runs the command.
///
/// # Errors
/// Whatever keeps the prompt from being answered.
pub fn run(args: GenerateArgs) -> anyhow::Result<ExitCode> {
    let prompt = prompt(&args)?;
    let sampling = args.sampling.sampling();
    let seed = sampling.seed;
    let file = engine::obtain(&args.model)?;
    let loader = EngineLoader::new(&args.model, &file, 1)?;
    let mut engine = loader.load(loader.device())?;
    let mut request = Request::new(prompt);
    request.max_tokens = args.max_tokens.map(|tokens| tokens as usize);
    request.sampling = sampling;
    request.stop = args.stop;
    request.top_logprobs = args.logprobs;

    if let Some(tokens) = args.warm_up {
        warm_up(&mut engine, &request, tokens)?;
    }
    let mut generation = engine.start(request)?;
    let mut top_logprobs = Vec::new();
    let interrupt = Interrupt::listen()?;
    let mut launch_times = LaunchTimes::default();
    let on_step = |engine: &Engine, step: &Step, launched: Duration| {
        launch_times.push(launched);
        if args.logprobs > 0 {
            top_logprobs.push(named(engine, &step.top));
        }
    };
    let on_text = |text: &str| if args.json { Ok(()) } else { output::print(text) };
    drive(&mut engine, &mut generation, &interrupt, on_step, on_text)?;
    let reason = generation.finish_reason().unwrap_or(FinishReason::Cancelled);
    let timings = generation.timings();
    let info = engine.info();
    if args.json {
        let report = Report {
            prompt_ids: generation.prompt_ids(),
            ids: generation.ids(),
            text: generation.text(),
            finish_reason: reason.as_str(),
            top_logprobs: &top_logprobs,
            load_ms: info.load_ms,
            ttft_ms: timings.ttft_ms,
            prefill_tps: timings.prefill_tps,
            decode_tps: timings.decode_tps,
            launch_us: launch_times.median_us().filter(|_| info.backend == BackendKind::Wgpu.name()),
            peak_rss_bytes: peak_rss_bytes(),
            device: &info.device,
            backend: info.backend,
            model: &file.name,
            seed,
        };
        output::print_with(|out| {
            serde_json::to_writer(&mut *out, &report).map_err(io::Error::from)?;
            writeln!(out)
        })?;
    } else {
        output::print_line("")?;
        print_summary(&generation, info, &file.name, seed);
    }
    let interrupted = reason == FinishReason::Cancelled;
    Ok(if interrupted { ExitCode::from(EXIT_INTERRUPTED) } else { ExitCode::SUCCESS })
}

/// Generates `tokens` tokens without showing them. The measured answer after it still runs its whole prompt.
fn warm_up(engine: &mut Engine, request: &Request, tokens: u32) -> anyhow::Result<()> {
    let mut unseen = engine.start(Request { max_tokens: Some(tokens as usize), ..request.clone() })?;
    while pollster::block_on(engine.next_token(&mut unseen))?.is_some() {}
    engine.forget();
    Ok(())
}

/// Prints one line about the answer and its speed to standard error.
fn print_summary(generation: &Generation, info: &ModelInfo, model: &str, seed: u64) {
    let reason = generation.finish_reason().unwrap_or(FinishReason::Cancelled);
    let timings = generation.timings();
    note!(
        "[{} | {model} on {} | load {:.0} ms | TTFT {:.0} ms | prefill {:.1} tok/s ({} tokens) | decode {:.1} tok/s ({} tokens) \
         | seed {seed}]",
        reason.as_str(),
        info.device,
        info.load_ms,
        timings.ttft_ms,
        timings.prefill_tps,
        timings.prompt_tokens,
        timings.decode_tps,
        timings.completion_tokens,
    );
}

/// Steps until the answer ends, Ctrl-C is pressed or `on_text` fails. `on_step` gets every token with the time of its launch;
/// `on_text` gets the text as it becomes complete.
///
/// # Errors
/// An error of the engine, or the [`OutputError`] of `on_text`.
pub fn drive(
    engine: &mut Engine,
    generation: &mut Generation,
    interrupt: &Interrupt,
    mut on_step: impl FnMut(&Engine, &Step, Duration),
    mut on_text: impl FnMut(&str) -> Result<(), OutputError>,
) -> anyhow::Result<()> {
    let watch = interrupt.watch(generation.cancel_handle());
    let mut shown_bytes = 0;
    loop {
        let (outcome, launched) = pollster::block_on(timed(engine.step(generation)));
        let step = match outcome? {
            StepOutcome::Prefill { .. } => continue,
            StepOutcome::Token(step) => step,
            StepOutcome::Done => break,
        };
        on_step(engine, &step, launched);
        shown_bytes += step.text.len();
        on_text(&step.text)?;
    }
    drop(watch);
    // A cancelled answer gives up what was held back as a possible stop text.
    Ok(on_text(generation.text().get(shown_bytes..).unwrap_or_default())?)
}

fn named(engine: &Engine, top: &[(u32, f32)]) -> Vec<TokenLogprob> {
    let text = |id| String::from_utf8_lossy(&engine.tokenizer().token_bytes(id).unwrap_or_default()).into_owned();
    top.iter().map(|&(id, logprob)| TokenLogprob { id, token: text(id), logprob }).collect()
}

fn prompt(args: &GenerateArgs) -> anyhow::Result<Prompt> {
    if let Some(path) = &args.prompt_ids {
        return Ok(Prompt::Ids(token_ids(path)?));
    }
    let text = match (&args.prompt, &args.prompt_file) {
        (Some(text), _) => prompt_file::not_empty(text.clone(), Origin::Argument)?,
        (None, Some(path)) => prompt_file::read(path)?,
        (None, None) if io::stdin().is_terminal() => {
            bail!("there is no prompt; give --prompt, --prompt-file or --prompt-ids, or pipe one in")
        }
        (None, None) => prompt_file::read_stdin()?,
    };
    if args.raw {
        return Ok(Prompt::Raw(text));
    }
    let message = |role: &str, content: String| Message::new(role, content);
    let system = args.system.clone().map(|content| message("system", content));
    Ok(Prompt::Chat(system.into_iter().chain([message("user", text)]).collect()))
}

fn token_ids(path: &Path) -> anyhow::Result<Vec<u32>> {
    let text = prompt_file::read(path)?;
    let id = |word: &str| word.parse().with_context(|| format!("`{word}` in {} is not a token id", path.display()));
    text.split_whitespace().map(id).collect()
}
