//! Arbitrary templates with arbitrary contexts: each run ends within its budgets, and its pieces are its text.
#![no_main]

use inshore_jinja::{Input, Limits, LocalTime, Options, Template};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

#[derive(Arbitrary, Debug)]
struct Case {
    template: String,
    context: Vec<(Name, Node)>,
    time: i64,
    offset: i16,
}

#[derive(Arbitrary, Debug)]
enum Name {
    Messages,
    Tools,
    X,
    Other(String),
}

#[derive(Arbitrary, Debug)]
enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Dict(Vec<(String, Node)>),
}

fn json(node: &Node, depth: usize) -> Value {
    match node {
        _ if depth == 0 => Value::Null,
        Node::Null => Value::Null,
        Node::Bool(value) => (*value).into(),
        Node::Int(value) => (*value).into(),
        Node::Float(value) => (*value).into(),
        Node::Text(text) => text.as_str().into(),
        Node::List(items) => items.iter().take(8).map(|item| json(item, depth - 1)).collect::<Vec<_>>().into(),
        Node::Dict(pairs) => {
            Value::Object(pairs.iter().take(8).map(|(key, value)| (key.clone(), json(value, depth - 1))).collect::<Map<_, _>>())
        }
    }
}

fuzz_target!(|case: Case| {
    let Ok(template) = Template::new(&case.template) else { return };
    let variables: Vec<(&str, Input)> = case
        .context
        .iter()
        .take(6)
        .map(|(name, node)| {
            let name = match name {
                Name::Messages => "messages",
                Name::Tools => "tools",
                Name::X => "x",
                Name::Other(name) => name,
            };
            (name, Input::content(json(node, 20)))
        })
        .collect();
    let limits = Limits { work: 5_000_000, memory_bytes: 4 << 20, output_bytes: 1 << 18, depth: 150 };
    let now = Some(LocalTime::from_unix(case.time % (1 << 55), case.offset.into()));
    if let Ok(rendered) = template.render(&variables, &Options { limits, now, deadline: None }) {
        assert!(rendered.text.len() <= limits.output_bytes);
        assert_eq!(rendered.pieces().map(|(text, _)| text).collect::<String>(), rendered.text);
    }
});
