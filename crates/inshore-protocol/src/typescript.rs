//! Writes the files that are generated from this crate's tables. `tests/generated.rs` fails if one of them is stale.

use std::fmt::Write;

use crate::schema::{
    EXTENSION_KEYS, MAX_CONVERSATION_NAME, MAX_DEPTH, MAX_STOPS, MAX_TOP_LOGPROBS, MODES, NUMBERS, PART_LACKS, PRIVACY,
    ROLES,
};
use crate::{ErrorCode, Owner};

const NOTICE: &str = "// Generated from crates/inshore-protocol; do not edit. To write it anew:\n\
                      // UPDATE=1 cargo test -p inshore-protocol --test generated\n\n";

/// `web/src/protocol/error-codes.ts`.
pub fn error_codes() -> String {
    let mut out = String::from(NOTICE);
    out.push_str("/** Who has to act for the same call to succeed. */\nexport type ErrorOwner = ");
    let owners = Owner::ALL.map(|owner| format!("'{}'", owner.as_str()));
    let _ = writeln!(out, "{};\n", owners.join(" | "));
    out.push_str(
        "/** One row of the table. */\nexport interface ErrorRow {\n\
         \x20 /** HTTP status. */\n  readonly status: number;\n\
         \x20 /** OpenAI's `type`. */\n  readonly type: string;\n\
         \x20 /** `unless_retried`: worth another try, which a page's policy has already made. */\n\
         \x20 readonly retry: 'yes' | 'no' | 'unless_retried';\n\
         \x20 readonly owner: ErrorOwner;\n\
         \x20 /** The code that clients see over HTTP, where OpenAI has its own name. */\n\
         \x20 readonly wire?: 'context_length_exceeded';\n}\n\n\
         /** Every error code, by name. */\nexport const ERROR_CODES = {\n",
    );
    for code in ErrorCode::ALL {
        let (status, kind, owner) = (code.status(), code.kind(), code.owner().as_str());
        let retry = code.retry().as_str();
        let wire = if code.wire() == *code { String::new() } else { format!(", wire: '{}'", code.wire()) };
        let row = format!("status: {status}, type: '{kind}', retry: '{retry}', owner: '{owner}'{wire}");
        let _ = writeln!(out, "  /** {} */", code.description());
        let line = format!("  {code}: {{ {row} }},");
        if line.len() <= 110 {
            let _ = writeln!(out, "{line}");
        } else {
            let _ = writeln!(out, "  {code}: {{\n    {},\n  }},", row.replace(", ", ",\n    "));
        }
    }
    out.push_str(
        "} as const satisfies Record<string, ErrorRow>;\n\n\
         /** A stable error code. */\nexport type ErrorCode = keyof typeof ERROR_CODES;\n\n\
         /** Whether `code` stands in the table. */\n\
         export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);\n\n\
         /** The row of `code`; that of `internal` for a name that is not in the table. */\n\
         export const errorRow = (code: string): ErrorRow => ERROR_CODES[isErrorCode(code) ? code : 'internal'];\n",
    );
    out
}

/// `web/src/protocol/request-schema.ts`.
pub fn request_schema() -> String {
    let mut out = String::from(NOTICE);
    let mut constant = |doc: &str, name: &str, value: String| {
        let _ = writeln!(out, "/** {doc} */\nexport const {name} = {value};\n");
    };
    constant("Levels of arrays and objects that a body may nest.", "MAX_DEPTH", MAX_DEPTH.to_string());
    constant("Stop texts that a request may have.", "MAX_STOPS", MAX_STOPS.to_string());
    constant("Alternatives to report for each token.", "MAX_TOP_LOGPROBS", MAX_TOP_LOGPROBS.to_string());
    constant("Characters of a conversation's name.", "MAX_CONVERSATION_NAME", MAX_CONVERSATION_NAME.to_string());
    let ranges = NUMBERS.map(|field| (field.name, format!("[{}, {}]", field.low, field.high)));
    constant("Sampling parameters and their ranges, both ends included.", "NUMBER_RANGES", object(ranges));
    let quoted = |(name, value): (&'static str, &str)| (name, format!("'{value}'"));
    constant("Roles of messages, as they reach a chat template.", "ROLES", object(ROLES.map(quoted)));
    let lacks = object(PART_LACKS.map(quoted));
    constant("Content parts beyond text, and the feature that each needs.", "PART_LACKS", lacks);
    constant("Fields of our extension object `inshore`.", "EXTENSION_KEYS", list(&EXTENSION_KEYS));
    constant("Values of `inshore.privacy`.", "PRIVACY", list(&PRIVACY));
    constant("Values of `inshore.mode`.", "MODES", list(&MODES));
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

/// The list of codes in `web/docs/errors.md`.
pub fn error_table_markdown() -> String {
    let mut out = String::new();
    for owner in Owner::ALL {
        let _ = writeln!(out, "### {}\n\n| code | status | |\n| --- | --- | --- |", heading(owner));
        for code in ErrorCode::ALL.iter().filter(|code| code.owner() == owner) {
            let wire = if code.wire() == *code { String::new() } else { format!(" Clients see `{}`.", code.wire()) };
            let retry = if code.should_retry() { " Try again." } else { "" };
            let _ = writeln!(out, "| `{code}` | {} | {}{wire}{retry} |", code.status(), code.description());
        }
        out.push('\n');
    }
    out
}

fn heading(owner: Owner) -> &'static str {
    match owner {
        Owner::Request => "The request, or an option",
        Owner::Policy => "The rules of the page and its user",
        Owner::ModelFile => "The model file",
        Owner::Device => "The device",
        Owner::Engine => "The engine",
        Owner::Endpoint => "Endpoints and download servers",
        Owner::Server => "The program that answers",
    }
}

fn object<const N: usize>(fields: [(&str, String); N]) -> String {
    let lines = fields.map(|(name, value)| format!("  {name}: {value},\n"));
    format!("{{\n{}}} as const", lines.concat())
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    let line = format!("[{}] as const", quoted.join(", "));
    if line.len() <= 80 { line } else { format!("[\n  {},\n] as const", quoted.join(",\n  ")) }
}
