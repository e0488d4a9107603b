//! `tests/protocol/requests.json`, which the host, the page and the worker run as well.

use inshore_protocol::testing::request_cases;
use inshore_protocol::{ChatRequest, RequestError};
use serde_json::{Value, json};

/// The same model's name as in the page's and the worker's tests.
fn checked(body: &[u8]) -> Result<ChatRequest, (Value, String)> {
    let told = |error: RequestError| {
        (json!({ "status": error.code.status(), "code": error.code, "param": error.param }), error.message)
    };
    let request = ChatRequest::parse(body).map_err(told)?;
    match request.model.as_deref() {
        None | Some("inshore" | "default") => Ok(request),
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
    let cases = request_cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let name = &case.name;
        match (checked(&case.body), &case.refusal) {
            (Ok(request), None) => {
                let mut lacks = request.local_lacks.clone();
                lacks.sort_unstable();
                if lacks != case.local_lacks {
                    wrong.push(format!("{name}: lacks {lacks:?}, not {:?}", case.local_lacks));
                }
                let found = understood(&request);
                for (field, value) in &case.normalised {
                    if !same(&found[field], value) {
                        wrong.push(format!("{name}: {field} is {}, not {value}", found[field]));
                    }
                }
            }
            (Err((error, message)), Some(expected)) => {
                if error != *expected || !message.ends_with('.') {
                    wrong.push(format!("{name}: {error} ({message}), not {expected}"));
                }
            }
            (Ok(_), Some(expected)) => wrong.push(format!("{name}: taken, not {expected}")),
            (Err((error, message)), None) => wrong.push(format!("{name}: {error} ({message}), not taken")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(cases.len() > 300, "{}", cases.len());
}

#[test]
fn what_is_taken_can_be_written_and_read_again() {
    let mut taken = 0;
    for case in request_cases() {
        let Ok(request) = ChatRequest::parse(&case.body) else { continue };
        taken += 1;
        let again = ChatRequest::parse(request.to_body().to_string().as_bytes());
        let expected = ChatRequest { local_lacks: request.prefix.iter().map(|_| "prefix").collect(), ..request };
        assert_eq!(again.as_ref(), Ok(&expected), "{}", case.name);
    }
    assert!(taken > 100, "{taken}");
}
