//! Renders templates for comparison with Jinja2: one JSON object a line in, one out.
//!
//! In: `{"template": "...", "context": {...}}`. Out: `{"text": "..."}` or `{"error": "...", "message": "..."}`.

use std::io::{BufRead, Write};

use inshore_jinja::{Input, LocalTime, Options, Template};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let case: Value = serde_json::from_str(&line?)?;
        writeln!(out, "{}", render(&case))?;
    }
    Ok(())
}

fn render(case: &Value) -> Value {
    let empty = serde_json::Map::new();
    let context = case["context"].as_object().unwrap_or(&empty);
    let variables: Vec<(&str, Input)> =
        context.iter().map(|(name, value)| (name.as_str(), Input::content(value.clone()))).collect();
    // Monday, 2 February 2026, 15:04:05.
    let now = LocalTime::from_unix(1_770_044_645_000_678, 0);
    let options = Options { now: Some(now), ..Options::default() };
    let rendered = Template::new(case["template"].as_str().unwrap_or_default())
        .and_then(|template| template.render(&variables, &options));
    match rendered {
        Ok(rendered) => json!({ "text": rendered.text }),
        Err(error) => json!({ "error": format!("{:?}", error.kind()), "message": error.to_string() }),
    }
}
