//! `tests/protocol/requests.json`, which the host, the page and the worker run as well.

use inshore_protocol::{ChatRequest, RequestError};
use serde_json::{Value, json};

const TABLE: &str = include_str!("../../../tests/protocol/requests.json");

fn cases() -> Vec<Value> {
    // Some texts of the table hold numbers that only the reader under test has to understand; the table itself is plain.
    let table: Value = serde_json::from_str(TABLE).expect("the table is JSON");
    table["cases"].as_array().expect("cases").clone()
}

fn body_of(case: &Value) -> Vec<u8> {
    let beside = |text: String| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{text}}}"#).into_bytes();
    if let Some(raw) = case["raw"].as_str() {
        return raw.as_bytes().to_vec();
    }
    if let Some(hex) = case["bytes_hex"].as_str() {
        let digits = hex.as_bytes().chunks(2);
        return digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect();
    }
    if let Some(raw) = case["fields_raw"].as_str() {
        return beside(raw.to_owned());
    }
    if let [start, open, times, close] = case["fields_raw_repeat"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let times = times.as_u64().unwrap() as usize;
        let (open, close) = (open.as_str().unwrap().repeat(times), close.as_str().unwrap().repeat(times));
        return beside(format!("{}{open}{close}", start.as_str().unwrap()));
    }
    match &case["fields"] {
        Value::Object(fields) if fields.is_empty() => beside("\"n\":1".to_owned()),
        fields @ Value::Object(_) => {
            let text = fields.to_string();
            beside(text[1..text.len() - 1].to_owned())
        }
        _ => case["body"].to_string().into_bytes(),
    }
}

/// The same model's name as in the page's and the worker's tests.
fn checked(body: &[u8]) -> Result<ChatRequest, (Value, String)> {
    let told = |error: RequestError| {
        (json!({ "status": error.code.status(), "code": error.code, "param": error.param }), error.message)
    };
    let request = ChatRequest::parse(body).map_err(told)?;
    match request.model.as_deref() {
        None | Some("inshore") => Ok(request),
        Some(_) => {
            Err((json!({ "status": 404, "code": "model_not_found", "param": "model" }), "Another model.".into()))
        }
    }
}

fn understood(request: &ChatRequest) -> Value {
    let messages: Vec<_> =
        request.messages.iter().map(|message| json!([message.role.as_str(), message.content])).collect();
    let sampling = &request.sampling;
    json!({
        "messages": messages, "prefix": request.prefix, "stream": request.stream, "include_usage": request.include_usage,
        "max_tokens": request.max_tokens, "stop": request.stop, "top_logprobs": request.top_logprobs,
        "temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k,
        "frequency_penalty": sampling.frequency_penalty, "seed": sampling.seed.map(|seed| seed.to_string()),
        "continue_ids": request.extension.continue_ids,
    })
}

fn same(found: &Value, expected: &Value) -> bool {
    match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => found == expected,
        _ => found == expected,
    }
}

#[test]
fn every_body_of_the_table_is_taken_or_refused_as_it_says() {
    let mut wrong = Vec::new();
    for case in cases() {
        let name = case["name"].as_str().expect("a name");
        match (checked(&body_of(&case)), &case["expect"]) {
            (Ok(request), Value::String(_)) => {
                let mut lacks = request.local_lacks.clone();
                lacks.sort_unstable();
                let expected = case.get("local_lacks").cloned().unwrap_or(json!([]));
                if json!(lacks) != expected {
                    wrong.push(format!("{name}: lacks {lacks:?}, not {expected}"));
                }
                let found = understood(&request);
                for (field, value) in case["normalised"].as_object().into_iter().flatten() {
                    if !same(&found[field], value) {
                        wrong.push(format!("{name}: {field} is {}, not {value}", found[field]));
                    }
                }
            }
            (Err((error, message)), expected @ Value::Object(_)) => {
                if error != *expected || !message.ends_with('.') {
                    wrong.push(format!("{name}: {error} ({message}), not {expected}"));
                }
            }
            (Ok(_), expected) => wrong.push(format!("{name}: taken, not {expected}")),
            (Err((error, message)), _) => wrong.push(format!("{name}: {error} ({message}), not taken")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases().len(), wrong.join("\n"));
}

#[test]
fn what_is_taken_can_be_written_and_read_again() {
    let mut taken = 0;
    for case in cases() {
        let Ok(request) = ChatRequest::parse(&body_of(&case)) else { continue };
        taken += 1;
        let again = ChatRequest::parse(request.to_body().to_string().as_bytes());
        let expected = ChatRequest { local_lacks: request.prefix.iter().map(|_| "prefix").collect(), ..request };
        assert_eq!(again.as_ref(), Ok(&expected), "{}", case["name"]);
    }
    assert!(taken > 100, "{taken}");
}
