//! Fields that ask for more than text: tools, audio, formats.

use crate::RequestError;
use crate::fields::{Fields, number, text};
use crate::message::Lacks;

/// Refuses OpenAI's older form of tools: an answer to it could not be read back.
pub(crate) fn refuse_functions(body: &Fields<'_>) -> Result<(), RequestError> {
    let harmless = ["\"none\"", "\"auto\""];
    let choice = body.get("function_call").filter(|choice| !harmless.contains(choice)).map(|_| "function_call");
    let functions = body.get("functions").filter(|json| !is_empty(json)).map(|_| "functions");
    match functions.or(choice) {
        None => Ok(()),
        Some(field) => {
            let message = format!("{field} is OpenAI's older form and is not supported; use tools and tool_choice.");
            Err(RequestError::unsupported(field, message))
        }
    }
}

/// Checks the fields and notes which features they need.
pub(crate) fn note_features(body: &Fields<'_>, lacks: &mut Lacks) -> Result<(), RequestError> {
    note_tools(body, lacks)?;
    note_logit_bias(body, lacks)?;
    if body.get("audio").is_some_and(|json| !is_empty(json)) {
        body.object("audio", "must be an object")?;
        lacks.add("audio");
    }
    for modality in body.array("modalities", "must be an array of names")?.unwrap_or_default() {
        match text(modality).as_deref() {
            Some("text") => {}
            Some("audio") => lacks.add("audio"),
            _ => return Err(body.wrong("modalities", "may hold text and audio")),
        }
    }
    if body.object("web_search_options", "must be an object")?.is_some() {
        lacks.add("web_search");
    }
    note_format(body, lacks)?;
    body.text("reasoning_effort")?;
    body.flag("parallel_tool_calls")?;
    Ok(())
}

fn note_tools(body: &Fields<'_>, lacks: &mut Lacks) -> Result<(), RequestError> {
    let has_tools = body.get("tools").is_some_and(|json| !is_empty(json));
    if has_tools {
        for (index, tool) in body.array("tools", "must be an array of tools")?.unwrap_or_default().iter().enumerate() {
            if Fields::read(tool, "").is_none() {
                let param = format!("tools[{index}]");
                let message = format!("{param} must be an object.");
                return Err(RequestError::invalid(param, message));
            }
        }
        lacks.add("tools");
    }
    let Some(choice) = body.get("tool_choice") else { return Ok(()) };
    let forces = match text(choice).as_deref() {
        Some("none" | "auto") => false,
        Some("required") => true,
        None if Fields::read(choice, "").and_then(|fields| fields.get("type").and_then(text)).is_some() => true,
        _ => return Err(body.wrong("tool_choice", "must be none, auto, required or an object that names a tool")),
    };
    if forces && !has_tools {
        return Err(body.wrong("tool_choice", "asks for a tool and there are none; give tools"));
    }
    Ok(())
}

fn note_logit_bias(body: &Fields<'_>, lacks: &mut Lacks) -> Result<(), RequestError> {
    if body.get("logit_bias").is_none_or(is_empty) {
        return Ok(());
    }
    let wrong = || body.wrong("logit_bias", "must be an object of numbers in -100..100");
    let biases = body.object("logit_bias", "must be an object of numbers in -100..100")?.ok_or_else(wrong)?;
    for name in biases.names() {
        biases.get(name).and_then(number).filter(|bias| bias.abs() <= 100.0).ok_or_else(wrong)?;
    }
    lacks.add("logit_bias");
    Ok(())
}

fn note_format(body: &Fields<'_>, lacks: &mut Lacks) -> Result<(), RequestError> {
    let what = "must be an object with a type";
    let Some(format) = body.object("response_format", what)? else { return Ok(()) };
    match format.get("type").and_then(text).as_deref() {
        None => Err(body.wrong("response_format", what)),
        Some("text") => Ok(()),
        Some(_) => {
            lacks.add("response_format");
            Ok(())
        }
    }
}

/// Whether `json` is an array or an object without elements, which asks for nothing.
fn is_empty(json: &str) -> bool {
    let inner = json.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let inner = inner.or_else(|| json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')));
    inner.is_some_and(|inner| inner.trim_ascii().is_empty())
}
