//! The files that are generated from this crate's tables are fresh; `UPDATE=1` writes them.

use std::fs;
use std::path::PathBuf;

use inshore_protocol::{ErrorCode, typescript};

fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

fn assert_fresh(relative: &str, expected: &str) {
    let path = path(relative);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, expected).expect("written");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{relative} is stale; run UPDATE=1 cargo test -p inshore-protocol --test generated");
}

#[test]
fn typescript_is_fresh() {
    assert_fresh("web/src/protocol/error-codes.ts", &typescript::error_codes());
    assert_fresh("web/src/protocol/request-schema.ts", &typescript::request_schema());
}

#[test]
fn the_table_of_the_docs_is_fresh() {
    const BEGIN: &str = "<!-- codes: generated -->\n";
    const END: &str = "<!-- /codes -->";
    let page = fs::read_to_string(path("web/docs/errors.md")).expect("the page on errors");
    let (before, rest) = page.split_once(BEGIN).expect("its begin mark");
    let (_, after) = rest.split_once(END).expect("its end mark");
    let expected = format!("{before}{BEGIN}\n{}{END}{after}", typescript::error_table_markdown());
    assert_fresh("web/docs/errors.md", &expected);
}

#[test]
fn names_are_unique_snake_case_and_lead_back() {
    for code in ErrorCode::ALL {
        let name = code.as_str();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{name}");
        assert_eq!(ErrorCode::from_name(name), Some(*code), "{name} is there twice");
        assert!((400..600).contains(&code.status()), "{name}");
        assert!(code.description().ends_with('.'), "{name}");
    }
    assert_eq!(ErrorCode::from_name("no_such_code"), None);
}
