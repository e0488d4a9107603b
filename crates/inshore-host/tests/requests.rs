//! `tests/protocol/requests.json` against `inshore serve` over real sockets.

mod support;

use inshore_protocol::testing::request_cases;
use serde_json::{Value, json};
use support::{Server, TempDir, tiny_model};

#[tokio::test]
async fn every_body_of_the_table_is_answered_or_refused_as_it_says() {
    let folder = TempDir::new();
    // The name that every instance of the page and of the worker's test knows.
    let model = folder.path().join("inshore.gguf");
    std::fs::rename(tiny_model(&folder, 1), &model).expect("renamed");
    let server = Server::start(&model, &["--context", "512"]).await;
    let mut wrong = Vec::new();
    for case in request_cases() {
        let request = server.client.post(format!("{}/v1/chat/completions", server.url));
        let request = request.header("content-type", "application/json; charset=utf-8").body(case.body);
        let answer = request.send().await.expect("the server answers");
        let status = answer.status().as_u16();
        let retry = answer.headers().get("x-should-retry").map(|value| value.to_str().expect("ASCII").to_owned());
        let body = answer.text().await.expect("a body");
        let error = serde_json::from_str::<Value>(&body).unwrap_or_default()["error"].take();
        let found = json!({ "status": status, "code": error["code"], "param": error["param"] });
        let lacks = case.local_lacks.iter().any(|feature| feature != "prefix");
        let is_right = match case.host.or(case.refusal) {
            Some(refusal) => found == refusal && retry.as_deref() == Some("false"),
            None if lacks => (status, &error["code"]) == (422, &json!("unsupported_feature")),
            None => status == 200 && error.is_null(),
        };
        if !is_right {
            wrong.push(format!("{}: {found} {retry:?}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}
