//! Messages of a conversation.

use crate::RequestError;
use crate::fields::{Fields, array, text};
use crate::schema::{PART_LACKS, ROLES};

/// Who speaks, as chat templates name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions; also OpenAI's `developer`.
    System,
    /// The user; also a tool's result, which no engine here reads.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name in chat templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let (_, role) = ROLES.into_iter().find(|(given, _)| *given == name)?;
        [Self::System, Self::User, Self::Assistant].into_iter().find(|known| known.as_str() == role)
    }
}

/// A message whose parts are joined to one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// The conversation, and the text of an answer that was begun elsewhere.
pub(crate) struct Conversation {
    pub(crate) messages: Vec<ChatMessage>,
    pub(crate) prefix: Option<String>,
}

/// Checks `messages`. `lacks` collects what an engine needs beyond text.
pub(crate) fn conversation(body: &Fields<'_>, lacks: &mut Lacks) -> Result<Conversation, RequestError> {
    let none = || RequestError::invalid("messages", "messages must be an array with at least one message.");
    let items = body.get("messages").and_then(array).filter(|items| !items.is_empty()).ok_or_else(none)?;
    let mut found = Conversation { messages: Vec::with_capacity(items.len()), prefix: None };
    for (index, item) in items.iter().enumerate() {
        let param = format!("messages[{index}]");
        let is_prefix_allowed = index > 0 && index + 1 == items.len();
        let (message, is_prefix) = message(item, &param, is_prefix_allowed, lacks)?;
        if is_prefix {
            lacks.add("prefix");
            found.prefix = Some(message.content);
        } else {
            found.messages.push(message);
        }
    }
    Ok(found)
}

fn message(
    json: &str,
    param: &str,
    is_prefix_allowed: bool,
    lacks: &mut Lacks,
) -> Result<(ChatMessage, bool), RequestError> {
    let fields = Fields::read(json, &format!("{param}."))
        .ok_or_else(|| RequestError::invalid(param, format!("{param} must be an object with role and content.")))?;
    let name = fields.get("role").and_then(text).unwrap_or_default();
    if name == "function" {
        let message = "The role function is OpenAI's older form; use tools, and messages of role tool.";
        return Err(RequestError::unsupported(fields.param("role"), message));
    }
    let Some(role) = Role::named(&name) else {
        return Err(fields.wrong("role", "must be system, developer, user, assistant or tool"));
    };
    fields.text("name")?;
    note_calls(&fields, &name, lacks)?;
    let is_prefix = fields.flag("prefix")?;
    if is_prefix && !(is_prefix_allowed && role == Role::Assistant) {
        return Err(fields.wrong("prefix", "belongs to a last message of role assistant, after at least one other"));
    }
    let content = content(&fields, role, lacks)?;
    Ok((ChatMessage { role, content }, is_prefix))
}

/// Fields that only an endpoint with tools or speech understands.
fn note_calls(fields: &Fields<'_>, role: &str, lacks: &mut Lacks) -> Result<(), RequestError> {
    if fields.get("function_call").is_some() {
        let message = "function_call is OpenAI's older form; use tools and tool_calls.";
        return Err(RequestError::unsupported(fields.param("function_call"), message));
    }
    fields.text("tool_call_id")?;
    let calls = fields.array("tool_calls", "must be an array")?.unwrap_or_default();
    if role == "tool" || !calls.is_empty() {
        lacks.add("tools");
    }
    if role == "assistant" && fields.get("audio").is_some() {
        lacks.add("audio");
    }
    Ok(())
}

fn content(fields: &Fields<'_>, role: Role, lacks: &mut Lacks) -> Result<String, RequestError> {
    let refusal = fields.text("refusal")?;
    let Some(json) = fields.get("content") else {
        // An assistant may have said nothing (it called a tool) or refused to.
        return match role {
            Role::Assistant => Ok(refusal.unwrap_or_default()),
            _ => Err(fields.wrong("content", "must be a string or an array of parts")),
        };
    };
    if let Some(content) = text(json) {
        return Ok(content);
    }
    let parts = fields.array("content", "must be a string or an array of parts")?.unwrap_or_default();
    let texts = parts.iter().enumerate().map(|(index, part)| {
        let param = format!("{}[{index}]", fields.param("content"));
        part_text(part, &param, lacks)
    });
    texts.collect()
}

fn part_text(json: &str, param: &str, lacks: &mut Lacks) -> Result<String, RequestError> {
    let fields = Fields::read(json, &format!("{param}."));
    let Some((fields, kind)) = fields.and_then(|fields| fields.get("type").and_then(text).map(|kind| (fields, kind)))
    else {
        let example = r#"{ "type": "text", "text": "…" }"#;
        return Err(RequestError::invalid(param, format!("{param} must be an object with a type, such as {example}.")));
    };
    if kind == "text" || kind == "refusal" {
        return fields.text(&kind)?.ok_or_else(|| fields.wrong(&kind, "must be a string"));
    }
    let Some((_, lack)) = PART_LACKS.into_iter().find(|(name, _)| *name == kind) else {
        return Err(fields.wrong("type", "must be text, image_url, input_audio, file or refusal"));
    };
    lacks.add(lack);
    Ok(String::new())
}

/// Features that a request needs beyond text, each once, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Lacks(pub(crate) Vec<&'static str>);

impl Lacks {
    pub(crate) fn add(&mut self, feature: &'static str) {
        if !self.0.contains(&feature) {
            self.0.push(feature);
        }
    }
}
