//! `inshore chat`: a conversation in the terminal, or one turn per line of a pipe.

use std::io::{BufRead, IsTerminal};
use std::process::ExitCode;

use inshore_model::{Engine, FinishReason, Message, Prompt, Request};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::cli::ChatArgs;
use crate::engine;
use crate::generate::{drive, write_now};
use crate::interrupt::Interrupt;

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
/// If the model cannot be had or standard input breaks; a failed answer is reported and the conversation goes on.
pub fn run(args: ChatArgs) -> anyhow::Result<ExitCode> {
    let file = engine::obtain(&args.model)?;
    let mut engine = engine::load(&args.model, &file, 1)?;
    let info = engine.info();
    eprintln!("{} on {}, {} tokens of context. /help lists the commands.", file.name, info.device, info.context_tokens);
    let mut lines = Lines::open()?;
    let interrupt = Interrupt::listen()?;
    let mut conversation = Conversation { system: args.system.clone(), messages: Vec::new() };
    conversation.reset();
    while let Some(line) = lines.next()? {
        match turn(&line) {
            Turn::Nothing => {}
            Turn::Quit => break,
            Turn::Help => eprintln!("{HELP}"),
            Turn::Unknown(name) => eprintln!("/{name} is no command; /help lists them"),
            Turn::Reset => {
                conversation.reset();
                eprintln!("The conversation starts anew.");
            }
            Turn::System(text) => {
                conversation.system = (!text.is_empty()).then(|| text.to_owned());
                conversation.reset();
                eprintln!("The conversation starts anew with this system message.");
            }
            Turn::Say(text) => {
                conversation.push("user", text);
                match answer(&mut engine, &args, &conversation, &interrupt) {
                    Ok(text) => conversation.push("assistant", &text),
                    Err(error) => {
                        // The question is taken back, so that the next one finds the conversation as it was.
                        conversation.messages.pop();
                        eprintln!("error: {error:#}\n/reset starts anew.");
                    }
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn answer(
    engine: &mut Engine,
    args: &ChatArgs,
    conversation: &Conversation,
    interrupt: &Interrupt,
) -> anyhow::Result<String> {
    let mut request = Request::new(Prompt::Chat(conversation.messages.clone()));
    request.max_tokens = args.max_tokens.map(|tokens| tokens as usize);
    request.sampling = args.sampling.sampling();
    let mut generation = engine.start(request)?;
    let writable = drive(engine, &mut generation, interrupt, |_, _, _| {}, write_now)?;
    if !writable {
        anyhow::bail!("standard output is closed");
    }
    println!();
    let timings = generation.timings();
    let note = match generation.finish_reason() {
        Some(FinishReason::Length) => ", cut: no room left",
        Some(FinishReason::Cancelled) => ", ended by Ctrl-C",
        _ => "",
    };
    eprintln!(
        "[TTFT {:.0} ms, {:.1} tok/s, {} ({} kept) + {} tokens{note}]",
        timings.ttft_ms, timings.decode_tps, timings.prompt_tokens, timings.cached_tokens, timings.completion_tokens
    );
    Ok(generation.text().to_owned())
}

/// Where the turns come from: an editor with history on a terminal, plain lines from a pipe.
enum Lines {
    Editor(Box<DefaultEditor>),
    Pipe(std::io::StdinLock<'static>),
}

impl Lines {
    fn open() -> anyhow::Result<Self> {
        if std::io::stdin().is_terminal() {
            Ok(Self::Editor(Box::new(DefaultEditor::new()?)))
        } else {
            Ok(Self::Pipe(std::io::stdin().lock()))
        }
    }

    fn next(&mut self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Pipe(stdin) => {
                let mut line = String::new();
                Ok((stdin.read_line(&mut line)? > 0).then_some(line))
            }
            Self::Editor(editor) => match editor.readline("> ") {
                Ok(line) => {
                    let _ = editor.add_history_entry(&line);
                    Ok(Some(line))
                }
                // Ctrl-C at the prompt drops the line only.
                Err(ReadlineError::Interrupted) => Ok(Some(String::new())),
                Err(ReadlineError::Eof) => Ok(None),
                Err(error) => Err(error.into()),
            },
        }
    }
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
