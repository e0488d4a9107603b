//! From the command line's model and device to a loaded engine.

use std::any::Any;
use std::fs::File;
use std::io::IsTerminal;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use inshore_gguf::FileSource;
use inshore_model::{DeviceChoice, Engine, LoadOptions, LoadProgress, LocalTime, ModelInfo, OpenDevice, PlanChoice};

use crate::cli::{ModelArgs, Tune};
use crate::models::{self, Cache, ModelFile};
use crate::note;
use crate::plan_file::PlanFile;

/// The model file, from the cache or the network.
///
/// # Errors
/// [`models::ModelFileError`].
pub fn obtain(args: &ModelArgs) -> anyhow::Result<ModelFile> {
    Ok(models::obtain(&args.model, &Cache::of_user()?)?)
}

/// Loads a model, and can load the same model again.
#[derive(Debug)]
pub struct EngineLoader {
    args: ModelArgs,
    file: ModelFile,
    conversations: u16,
}

impl EngineLoader {
    /// Loads `file` with memory for `conversations`. Starts the CPU threads; the calling thread is one of them, so only
    /// this thread may load and run engines. A process can have one loader.
    ///
    /// # Errors
    /// If the CPU threads cannot be started.
    pub fn new(args: &ModelArgs, file: &ModelFile, conversations: u16) -> anyhow::Result<Self> {
        start_threads(args.threads)?;
        Ok(Self { args: args.clone(), file: file.clone(), conversations })
    }

    /// The device that the command line asks for.
    pub const fn device(&self) -> DeviceChoice {
        self.args.device
    }

    /// Opens `device` and loads the model; a bar shows progress on a terminal. Blocks the thread.
    ///
    /// # Errors
    /// Errors of the file, the device or the model. A panic during the load is an error too.
    pub fn load(&self, device: DeviceChoice) -> anyhow::Result<Engine> {
        let loaded = catch_unwind(AssertUnwindSafe(|| self.try_load(device)));
        let loaded = loaded.unwrap_or_else(|panic| {
            let message = panic_message(&*panic);
            Err(anyhow::anyhow!("the program panicked while loading it ({message}); this is a bug, please report it"))
        });
        let engine = loaded.with_context(|| format!("the model {} could not be loaded", self.file.name))?;
        let used = engine.info().context_tokens;
        if let Some(asked) = self.args.context.filter(|&asked| asked as usize > used) {
            note!("--context {asked} is more than the model was trained for; the context has {used} tokens");
        }
        for text in notes(engine.info()) {
            note!("{text}");
        }
        Ok(engine)
    }

    fn try_load(&self, device: DeviceChoice) -> anyhow::Result<Engine> {
        let path = &self.file.path;
        let opened = File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        let source = FileSource::new(opened)?;
        // Without a cache folder no measured plan is remembered.
        let plans = Cache::of_user().ok().map(|cache| PlanFile::of(&cache));
        let options = LoadOptions {
            context_tokens: self.args.context.map(|tokens| tokens as usize),
            exact: self.args.exact,
            kv_format: self.args.kv_cache,
            conversations: Some(self.conversations.into()),
            plan: plan_choice(&self.args, plans.as_ref()),
            clock: Some(local_time),
            ..LoadOptions::default()
        };
        let bar = std::io::stderr().is_terminal().then(|| loading_bar(self.file.bytes));
        let on_progress = |progress: LoadProgress| {
            if let Some(bar) = &bar {
                bar.set_length(progress.total_bytes);
                bar.set_position(progress.done_bytes);
            }
        };
        let loaded = pollster::block_on(async {
            let device = OpenDevice::open(device).await?;
            Ok::<_, anyhow::Error>(Engine::load(&source, device, options, on_progress).await?)
        });
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        if let (Some(plans), Some(measured)) = (&plans, loaded.as_ref().ok().and_then(Engine::measured_plan)) {
            plans.remember(measured);
        }
        loaded
    }
}

/// Returns notes for the user after a successful load.
fn notes(info: &ModelInfo) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut notes: Vec<_> = info.notes.iter().map(|note| format!("note: {note}")).collect();
    let unknown = &info.unknown_keys;
    if !unknown.is_empty() {
        let shown: Vec<_> = unknown.iter().take(SHOWN).map(|key| key.escape_debug().to_string()).collect();
        let more = if unknown.len() > SHOWN { ", …" } else { "" };
        notes.push(format!(
            "warning: the model file has {} metadata key(s) that inshore does not know and ignores: {}{more}",
            unknown.len(),
            shown.join(", ")
        ));
    }
    notes
}

/// Returns the message of a panic.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// Starts the CPU threads. The calling thread is one of them: a thread outside of rayon's pool would sleep while the pool
/// computes, a hundred times a token.
fn start_threads(asked: Option<u16>) -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism().map_or(usize::MAX, std::num::NonZero::get);
    let count = asked.map_or(0, |asked| {
        let asked = usize::from(asked);
        if asked > cores {
            note!(
                "--threads {asked} is more than the {cores} core(s) of this machine, which would not be faster; using {cores}"
            );
        }
        asked.min(cores)
    });
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
    fn the_engines_thread_is_one_of_the_pool_which_has_no_more_threads_than_cores() {
        let found = std::thread::spawn(|| {
            start_threads(Some(u16::MAX)).expect("a pool");
            (rayon::current_thread_index(), rayon::current_num_threads())
        });
        let cores = std::thread::available_parallelism().expect("a number of cores").get();
        assert_eq!(found.join().expect("ended"), (Some(0), cores));
    }

    #[test]
    fn panics_of_every_kind_have_a_message() {
        let caught = |panic: fn()| panic_message(&*catch_unwind(panic).expect_err("it panics"));
        assert_eq!(caught(|| panic!("plain")), "plain");
        assert_eq!(caught(|| panic!("number {}", std::hint::black_box(7))), "number 7");
        assert_eq!(caught(|| std::panic::panic_any(7)), "no message");
    }
}
