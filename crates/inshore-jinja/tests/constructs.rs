//! Every construct of `constructs.json` renders as Jinja2 renders it, or is a typed error. `tests/templates/constructs.py` writes the file.

use inshore_jinja::{ErrorKind, Input, LocalTime, Options, Template};
use serde_json::Value;

const GOLDEN: &str = include_str!("constructs.json");
/// Constructs that Jinja2 renders and this crate refuses: complex numbers, bytes, chance, addresses in memory, and slices of `none`, which
/// Jinja2 folds to nothing.
const MOST_UNSUPPORTED: usize = 39;

#[test]
fn constructs_render_as_jinja2_renders_them() {
    let golden: Value = serde_json::from_str(GOLDEN).expect("JSON");
    let context = golden["context"].as_object().expect("a context");
    let variables: Vec<(&str, Input)> =
        context.iter().map(|(name, value)| (name.as_str(), Input::content(value.clone()))).collect();
    let options = Options { now: Some(LocalTime::from_unix(1_770_044_645_000_678, 0)), ..Options::default() };
    let (mut equal, mut errors, mut unsupported) = (0, 0, 0);
    let mut wrong = Vec::new();
    for case in golden["cases"].as_array().expect("cases") {
        let source = case[0].as_str().expect("a template");
        let rendered = Template::new(source).and_then(|template| template.render(&variables, &options));
        match (rendered, case[1].as_str()) {
            (Ok(rendered), Some(text)) if rendered.text == text => equal += 1,
            (Err(_), None) => errors += 1,
            (Err(error), Some(_)) if error.kind() == ErrorKind::Unsupported => unsupported += 1,
            (found, expected) => wrong.push(format!("{source}\n  Jinja2: {expected:?}\n  here: {found:?}")),
        }
    }
    println!("{equal} equal, {errors} errors in both, {unsupported} refused");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(equal + errors >= 6_500 && unsupported <= MOST_UNSUPPORTED, "{equal} {errors} {unsupported}");
}
