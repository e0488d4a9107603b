//! From the command line's model and device to a loaded engine.

use std::fs::File;
use std::io::IsTerminal;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use inshore_gguf::FileSource;
use inshore_model::{Engine, LoadOptions, LoadProgress, LocalTime, OpenDevice, PlanChoice};

use crate::cli::{ModelArgs, Tune};
use crate::models::{self, Cache, ModelFile};
use crate::plan_file::PlanFile;

/// The model file, from the cache or the network.
///
/// # Errors
/// [`models::ModelFileError`].
pub fn obtain(args: &ModelArgs) -> anyhow::Result<ModelFile> {
    Ok(models::obtain(&args.model, &Cache::of_user()?)?)
}

/// Opens the device and loads the model, with memory for `conversations`; a bar shows progress on a terminal. Blocks the thread,
/// which is the engine's from then on: no other thread may load one.
///
/// # Errors
/// What the file, the device or the model say.
pub fn load(args: &ModelArgs, file: &ModelFile, conversations: u16) -> anyhow::Result<Engine> {
    make_threads(args.threads)?;
    let opened =
        File::open(&file.path).with_context(|| format!("the model {} cannot be opened", file.path.display()))?;
    let source = FileSource::new(opened)?;
    // Without a cache folder nothing is remembered.
    let plans = Cache::of_user().ok().map(|cache| PlanFile::of(&cache));
    let options = LoadOptions {
        context_tokens: args.context.map(|tokens| tokens as usize),
        exact: args.exact,
        kv_format: args.kv_cache,
        conversations: Some(conversations.into()),
        plan: plan_choice(args, plans.as_ref()),
        clock: Some(local_time),
        ..LoadOptions::default()
    };
    let bar = std::io::stderr().is_terminal().then(|| loading_bar(file.bytes));
    let on_progress = |progress: LoadProgress| {
        if let Some(bar) = &bar {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
        }
    };
    let loaded = pollster::block_on(async {
        let device = OpenDevice::open(args.device).await?;
        Ok::<_, anyhow::Error>(Engine::load(&source, device, options, on_progress).await?)
    });
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if let (Some(plans), Some(measured)) = (&plans, loaded.as_ref().ok().and_then(Engine::measured_plan)) {
        plans.remember(measured);
    }
    loaded.with_context(|| format!("the model {} could not be loaded", file.name))
}

/// Makes the CPU threads, this one among them: a thread outside of rayon's pool would sleep while the pool computes, a hundred
/// times a token.
fn make_threads(count: Option<u16>) -> anyhow::Result<()> {
    let count = count.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).use_current_thread();
    pool.build_global().context("the CPU threads cannot be started")
}

fn plan_choice(args: &ModelArgs, plans: Option<&PlanFile>) -> PlanChoice {
    match (args.gpu_plan, args.tune) {
        (Some(plan), _) => PlanChoice::Fixed(plan),
        (None, Tune::Auto) => PlanChoice::Tuned(plans.map(PlanFile::read).unwrap_or_default()),
        (None, Tune::Always) => PlanChoice::TunedAnew,
        (None, Tune::Never) => PlanChoice::RuleOfThumb,
    }
}

fn loading_bar(bytes: u64) -> ProgressBar {
    let bar = ProgressBar::new(bytes).with_message("loading");
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes}") {
        bar.set_style(style);
    }
    bar
}

/// The user's clock, for chat templates that write the date.
fn local_time() -> LocalTime {
    let now = chrono::Local::now();
    LocalTime::from_unix(now.timestamp_micros(), now.offset().local_minus_utc())
}

/// A seed nobody can guess; the clock serves where the system has no randomness.
pub fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_else(|_| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |time| time.as_nanos() as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_thread_is_one_of_the_pool() {
        let found = std::thread::spawn(|| {
            make_threads(Some(2)).expect("a pool");
            (rayon::current_thread_index(), rayon::current_num_threads())
        });
        assert_eq!(found.join().expect("ended"), (Some(0), 2));
    }
}
