//! `inshore chat`: a conversation in the terminal, or one turn per line of a pipe.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use inshore_model::{Engine, FinishReason, Message, Prompt, Request};

use crate::chat_lines::{Line, Lines};
use crate::cli::ChatArgs;
use crate::engine::{self, EngineLoader, panic_message};
use crate::generate::drive;
use crate::interrupt::Interrupt;
use crate::note;
use crate::output::{self, OutputError};

const HELP: &str = "\
/system TEXT  start anew with this system message (none: without one)
/reset        forget the conversation
/help         this list
/quit         end (also Ctrl-D)
Ctrl-C ends an answer, not the program.";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Turn<'a> {
    Nothing,
    Say(&'a str),
    System(&'a str),
    Reset,
    Help,
    Quit,
    Unknown(&'a str),
}

fn turn(line: &str) -> Turn<'_> {
    let line = line.trim();
    let Some(command) = line.strip_prefix('/') else {
        return if line.is_empty() { Turn::Nothing } else { Turn::Say(line) };
    };
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    match name {
        "system" => Turn::System(rest.trim()),
        "reset" => Turn::Reset,
        "help" | "?" => Turn::Help,
        "quit" | "exit" => Turn::Quit,
        _ => Turn::Unknown(name),
    }
}

/// The messages so far.
struct Conversation {
    system: Option<String>,
    messages: Vec<Message>,
}

impl Conversation {
    fn reset(&mut self) {
        let system = self.system.clone().map(|content| Message::new("system", content));
        self.messages = system.into_iter().collect();
    }

    fn push(&mut self, role: &str, content: &str) {
        self.messages.push(Message::new(role, content));
    }
}

/// Runs the command.
///
/// # Errors
/// If the model cannot be had, standard input breaks or standard output cannot be written; a failed answer is reported and
/// the conversation goes on.
pub fn run(args: ChatArgs) -> anyhow::Result<ExitCode> {
    let file = engine::obtain(&args.model)?;
    let loader = EngineLoader::new(&args.model, &file, 1)?;
    let mut engine = loader.load(loader.device())?;
    let info = engine.info();
    note!("{} on {}, {} tokens of context. /help lists the commands.", file.name, info.device, info.context_tokens);
    let mut lines = Lines::open()?;
    let interrupt = Interrupt::listen()?;
    let mut conversation = Conversation { system: args.system.clone(), messages: Vec::new() };
    conversation.reset();
    loop {
        let line = match lines.next()? {
            Line::Text(line) => line,
            Line::Unusable(why) => {
                note!("error: {why}; the line was ignored, and the conversation goes on");
                continue;
            }
            Line::End => return Ok(ExitCode::SUCCESS),
        };
        match turn(&line) {
            Turn::Nothing => {}
            Turn::Quit => return Ok(ExitCode::SUCCESS),
            Turn::Help => note!("{HELP}"),
            Turn::Unknown(name) => note!("/{name} is not a command; /help lists them"),
            Turn::Reset => {
                conversation.reset();
                note!("The conversation starts again.");
            }
            Turn::System(text) => {
                conversation.system = (!text.is_empty()).then(|| text.to_owned());
                conversation.reset();
                note!("The conversation starts again with this system message.");
            }
            Turn::Say(text) => {
                conversation.push("user", text);
                match answer(&mut engine, &args, &conversation, &interrupt) {
                    Ok(text) => conversation.push("assistant", &text),
                    Err(error) if error.is::<OutputError>() => return Err(error),
                    Err(error) => {
                        // The question is taken back, so that the next one finds the conversation as it was.
                        conversation.messages.pop();
                        note!("error: {error:#}\n/reset starts the conversation again.");
                        if engine.is_broken() {
                            note!("Loading the model again.");
                            drop(engine);
                            engine = loader.load(loader.device())?;
                        }
                    }
                }
            }
        }
    }
}

/// A panic while an answer was generated.
#[derive(Debug, thiserror::Error)]
#[error("the engine broke down ({0}); this is a bug, please report it")]
struct Panicked(String);

fn answer(
    engine: &mut Engine,
    args: &ChatArgs,
    conversation: &Conversation,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    catch_unwind(AssertUnwindSafe(|| try_answer(engine, args, conversation, interrupt)))
        .unwrap_or_else(|panic| Err(Panicked(panic_message(&*panic)).into()))
}

fn try_answer(
    engine: &mut Engine,
    args: &ChatArgs,
    conversation: &Conversation,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    let mut request = Request::new(Prompt::Chat(conversation.messages.clone()));
    request.max_tokens = args.max_tokens.map(|tokens| tokens as usize);
    request.sampling = args.sampling.sampling();
    let mut generation = engine.start(request)?;
    drive(engine, &mut generation, interrupt, |_, _, _| {}, |text| output::print(text))?;
    output::print_line("")?;
    let timings = generation.timings();
    let ending = match generation.finish_reason() {
        Some(FinishReason::Length) => ", cut: no room left",
        Some(FinishReason::Cancelled) => ", ended by Ctrl-C",
        _ => "",
    };
    note!(
        "[TTFT {:.0} ms, {:.1} tok/s, {} ({} kept) + {} tokens{ending}]",
        timings.ttft_ms,
        timings.decode_tps,
        timings.prompt_tokens,
        timings.cached_tokens,
        timings.completion_tokens
    );
    Ok(generation.text().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_turns_or_commands() {
        assert_eq!(turn("  hello \n"), Turn::Say("hello"));
        assert_eq!(turn(" \n"), Turn::Nothing);
        assert_eq!(turn("/system be brief\n"), Turn::System("be brief"));
        assert_eq!(turn("/system"), Turn::System(""));
        assert_eq!(turn("/reset"), Turn::Reset);
        assert_eq!(turn("/quit"), Turn::Quit);
        assert_eq!(turn("/frobnicate now"), Turn::Unknown("frobnicate"));
    }
}
