//! Chat templates: the Jinja program in a model file that turns messages into a prompt.
//!
//! Templates are written for the Jinja2 of Hugging Face's `transformers` (`apply_chat_template`), and run here as they
//! would there: same white-space rules, same extra functions. They come with untrusted files, so a run has a budget of
//! instructions, of recursion, of output and of the size of assigned values. Memory has no budget of its own: a template
//! that doubles a string in nested blocks without assigning it can still take much of it.

use std::io;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, context};
use serde::{Deserialize, Serialize};

use crate::TokenizerError;
use crate::template_functions::{self, Date};
use crate::template_guard;

/// The longest template that is accepted; real ones have at most some 20 kB.
const MAX_TEMPLATE_BYTES: usize = 1 << 20;
/// The longest prompt a template may write beyond twice the messages' own length.
const MAX_OUTPUT_BYTES: usize = 4 << 20;
/// Instructions a run may take, plus some for each message; the longest real templates take a few hundred a message.
/// An instruction can be a filter over a megabyte, so a thousand times that would no longer be quick.
const FUEL: u64 = 20_000;
const FUEL_PER_MESSAGE: u64 = 2_000;
/// Calls inside calls; deep enough for any template, shallow enough for a 1 MiB WebAssembly stack.
const MAX_RECURSION: usize = 64;

const NAME: &str = "chat_template";

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it: `system`, `user` or `assistant`.
    pub role: String,
    /// What is said. Data: template syntax in it means nothing.
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into() }
    }
}

/// A compiled chat template.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: String,
    eos_token: String,
}

impl ChatTemplate {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`TokenizerError::TemplateTooLarge`]; [`TokenizerError::TemplateFailed`] for a syntax error.
    pub fn new(source: &str) -> Result<Self, TokenizerError> {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Err(TokenizerError::TemplateTooLarge { bytes: source.len(), limit: MAX_TEMPLATE_BYTES });
        }
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_recursion_limit(MAX_RECURSION);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        template_functions::install(&mut environment);
        let guarded = template_guard::guarded(source).map_err(|error| failure(&error))?;
        environment.add_template_owned(NAME, guarded).map_err(|error| failure(&error))?;
        Ok(Self { environment, bos_token: String::new(), eos_token: String::new() })
    }

    /// The ChatML template, for models that were trained on it but do not carry it. Never chosen by itself.
    ///
    /// # Errors
    /// None in practice: the source is fixed.
    pub fn chatml() -> Result<Self, TokenizerError> {
        Self::new(concat!(
            "{% for message in messages %}",
            "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}",
            "{% endfor %}",
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
        ))
    }

    /// Sets the texts of the beginning- and end-of-sequence tokens, which templates write as `bos_token` and
    /// `eos_token`.
    pub fn with_special_tokens(mut self, bos_token: impl Into<String>, eos_token: impl Into<String>) -> Self {
        self.bos_token = bos_token.into();
        self.eos_token = eos_token.into();
        self
    }

    /// Sets the date that `strftime_now` writes. Without one the function is undefined, and templates that can use it
    /// write a date of their own or none.
    pub fn with_date(mut self, date: Date) -> Self {
        template_functions::install_date(&mut self.environment, date);
        self
    }

    /// The prompt for `messages`; with the beginning of the assistant's turn if `add_generation_prompt`.
    ///
    /// # Errors
    /// [`TokenizerError::TemplateLoop`], [`TemplateOutputTooLarge`](TokenizerError::TemplateOutputTooLarge),
    /// [`TemplateFailed`](TokenizerError::TemplateFailed), the last also if the template refuses the conversation, as many
    /// do when roles do not alternate.
    pub fn render(&self, messages: &[Message], add_generation_prompt: bool) -> Result<String, TokenizerError> {
        let fuel = FUEL.saturating_add(FUEL_PER_MESSAGE.saturating_mul(messages.len() as u64));
        let given: usize = messages.iter().map(|message| message.role.len() + message.content.len()).sum();
        let limit = MAX_OUTPUT_BYTES.saturating_add(given.saturating_mul(2));
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(fuel));
        template_guard::install(&mut environment, given, messages.len());
        let template = environment.get_template(NAME).map_err(|error| failure(&error))?;
        let mut output = Capped { bytes: Vec::new(), limit };
        let context = context! {
            messages => messages,
            add_generation_prompt => add_generation_prompt,
            bos_token => self.bos_token,
            eos_token => self.eos_token,
            // `apply_chat_template` passes these as None.
            tools => Value::from(()),
            documents => Value::from(()),
        };
        match template.render_captured_to(context, &mut output) {
            Ok(_) => {}
            Err(error) if out_of_fuel(&error) => return Err(TokenizerError::TemplateLoop { fuel }),
            Err(error) if error.kind() == ErrorKind::WriteFailure => {
                return Err(TokenizerError::TemplateOutputTooLarge { limit });
            }
            Err(error) => return Err(failure(&error)),
        }
        String::from_utf8(output.bytes)
            .map_err(|_| TokenizerError::TemplateFailed { line: 0, message: "the output is not UTF-8".into() })
    }
}

/// A buffer that refuses to grow beyond a limit.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the budget ran out, here or in something called from here.
fn out_of_fuel(error: &Error) -> bool {
    let mut error = Some(error);
    while let Some(e) = error {
        if e.kind() == ErrorKind::OutOfFuel {
            return true;
        }
        error = std::error::Error::source(e).and_then(|source| source.downcast_ref());
    }
    false
}

fn failure(error: &Error) -> TokenizerError {
    let message = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    // A template may raise its own input as an error.
    let message = message.chars().take(400).collect();
    TokenizerError::TemplateFailed { line: error.line().unwrap_or(0), message }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn render(source: &str, messages: &[Message]) -> Result<String, TokenizerError> {
        ChatTemplate::new(source)?.with_special_tokens("<s>", "</s>").render(messages, true)
    }

    fn user(content: &str) -> [Message; 1] {
        [Message::new("user", content)]
    }

    #[test]
    fn chatml_as_written() {
        let prompt = ChatTemplate::chatml().unwrap().render(&user("{{ 1 + 1 }} {% x"), true).unwrap();
        assert_eq!(prompt, "<|im_start|>user\n{{ 1 + 1 }} {% x<|im_end|>\n<|im_start|>assistant\n");
    }

    #[test]
    fn white_space_follows_transformers() {
        let source =
            "{% for m in messages %}\n  {% if m.role == 'user' %}\n{{ m.content }}\n  {% endif %}\n{% endfor %}\n";
        assert_eq!(render(source, &user("x")).unwrap(), "x\n");
    }

    #[test]
    fn python_methods_and_json() {
        let source = "{{ messages[0].content.strip().split('|')[-1].upper() }}{{ messages[0] | tojson }}\
            {% for k, v in messages[0].items() %}{{ k }}{% endfor %}{{ bos_token }}";
        assert_eq!(render(source, &user(" a|é ")).unwrap(), r#"É{"role": "user", "content": " a|é "}rolecontent<s>"#);
    }

    #[test]
    fn generation_tags_mean_nothing() {
        assert_eq!(render("a {%- generation -%} b{% endgeneration %}", &[]).unwrap(), "ab");
    }

    #[test]
    fn namespaces_and_tuples_work() {
        let source = "{% set ns = namespace(n=0, seen=[]) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}\
            {% set ns.seen = ns.seen + [m.role] %}{% endfor %}{% set a, b = 1, ns.n %}{{ a }}{{ b }}{{ ns.seen | join('-') }}";
        assert_eq!(render(source, &user("x")).unwrap(), "11user");
    }

    #[test]
    fn refusals_name_line_and_reason() {
        let error = render("\n{{ raise_exception('roles must alternate') }}", &[]).unwrap_err();
        let TokenizerError::TemplateFailed { line: 2, message } = error else { panic!("{error:?}") };
        assert!(message.contains("roles must alternate"), "{message}");
        assert!(matches!(render("{% if %}", &[]), Err(TokenizerError::TemplateFailed { line: 1, .. })));
        assert!(matches!(render("{{ x.y.z }}", &[]), Err(TokenizerError::TemplateFailed { .. })));
    }

    #[test]
    fn dates_are_what_was_given() {
        let source = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}none{% endif %}";
        assert_eq!(render(source, &[]).unwrap(), "none");
        let date = Date { year: 2026, month: 3, day: 7 };
        let template = ChatTemplate::new(source).unwrap().with_date(date);
        assert_eq!(template.render(&[], false).unwrap(), "07 Mar 2026");
    }

    #[test]
    fn hostile_templates_end_soon() {
        let loops = [
            "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}",
            "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
            "{% for a in range(9999) recursive %}{{ loop(range(9999)) }}{% endfor %}",
            "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}",
            "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
            "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x | replace('b', 'bb') %}{% endfor %}",
            "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
            "{% set ns = namespace(x=1) %}{% for a in range(99) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
            "{% set x = 'a' * 3000000 %}{% for a in range(9999) %}{{ x }}{% endfor %}",
            "{% set x = 'a' * 90000000 %}",
            "{% for a in range(99999) %}{% set y = range(99999) | list | sort %}{% endfor %}",
            "{{ range(99999) | map('list') | list }}",
        ];
        for source in loops {
            let started = Instant::now();
            let result = render(source, &user("x"));
            let took = started.elapsed();
            eprintln!("{took:?} {source} {:?}", result.as_ref().map(String::len));
            assert!(result.is_err(), "{source}");
            assert!(took < Duration::from_secs(1), "{took:?} {source}");
        }
    }

    #[test]
    fn deep_nesting_does_not_overflow_a_small_stack() {
        let cases: [(&str, &str, &str); 18] = [
            ("{{ ", "(", "1"),
            ("{{ ", "not ", "1"),
            ("{{ ", "-", "1"),
            ("{{ ", "[", "1"),
            ("{{ ", "{1:", "1"),
            ("", "{% if 1 %}", ""),
            ("{% if 1 %}", "{% elif 1 %}", "{% endif %}"),
            ("", "{% filter upper %}", ""),
            ("{{ messages", ".a", "}}"),
            ("{{ messages", "[0]", "}}"),
            ("{{ messages", "[:]", "}}"),
            ("{{ messages", "()", "}}"),
            ("{{ 1", "+1", "}}"),
            ("{{ 1", "~1", "}}"),
            ("{{ 1", "|int", "}}"),
            ("{{ 1", " if 1 else 1", "}}"),
            ("{% for ", "(", "a in [] %}{% endfor %}"),
            ("", "{% set x = [x] %}", "{{ x }}"),
        ];
        let run = move || {
            for (before, repeated, after) in cases {
                for depth in [100, 400, 10_000, 60_000] {
                    let _ = render(&format!("{before}{}{after}", repeated.repeat(depth)), &[]);
                }
            }
        };
        // As much as WebAssembly has by default.
        std::thread::Builder::new().stack_size(1 << 20).spawn(run).unwrap().join().unwrap();
    }
}
