//! The table `tests/protocol/requests.json`, for tests.

use serde_json::{Map, Value};

const TABLE: &str = include_str!("../../../tests/protocol/requests.json");

/// A body and what becomes of it.
#[derive(Debug, Clone)]
pub struct RequestCase {
    /// What is special about it.
    pub name: String,
    /// The bytes of the body.
    pub body: Vec<u8>,
    /// `status`, `code` and `param` of the refusal; `None` if it is taken.
    pub refusal: Option<Value>,
    /// What the host says instead, where it is another thing than the check of this crate.
    pub host: Option<Value>,
    /// Features that the engine lacks.
    pub local_lacks: Vec<String>,
    /// What some fields are understood as.
    pub normalised: Map<String, Value>,
}

/// All cases.
///
/// # Panics
/// If the table is not of its own form.
pub fn request_cases() -> Vec<RequestCase> {
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    table["cases"].as_array().expect("cases").iter().map(case).collect()
}

fn case(row: &Value) -> RequestCase {
    let present = |value: &Value| (!value.is_null()).then(|| value.clone());
    let lacks = row["local_lacks"].as_array().into_iter().flatten();
    RequestCase {
        name: row["name"].as_str().expect("a name").to_owned(),
        body: body(row),
        refusal: row["expect"].is_object().then(|| row["expect"].clone()),
        host: present(&row["host"]),
        local_lacks: lacks.map(|lack| lack.as_str().expect("a feature").to_owned()).collect(),
        normalised: row["normalised"].as_object().cloned().unwrap_or_default(),
    }
}

fn body(row: &Value) -> Vec<u8> {
    let beside = |text: &str| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{text}}}"#).into_bytes();
    if let Some(raw) = row["raw"].as_str() {
        return raw.as_bytes().to_vec();
    }
    if let Some(hex) = row["bytes_hex"].as_str() {
        let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
        return hex.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
    }
    if let Some(raw) = row["fields_raw"].as_str() {
        return beside(raw);
    }
    if let Some([start, open, times, close]) = row["fields_raw_repeat"].as_array().map(Vec::as_slice) {
        let times = times.as_u64().expect("a number") as usize;
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        return beside(&(text(start) + &text(open).repeat(times) + &text(close).repeat(times)));
    }
    match &row["fields"] {
        fields @ Value::Object(_) => {
            let text = fields.to_string();
            beside(text.trim_start_matches('{').strip_suffix('}').expect("an object"))
        }
        _ => row["body"].to_string().into_bytes(),
    }
}
