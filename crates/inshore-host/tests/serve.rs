//! `inshore serve` over real sockets, on tiny models.

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{ENDLESS, Server, TempDir, endless_model, events, json as body_json, tiny_model};

/// A request whose answer goes on for tens of thousands of tokens.
fn endless() -> Value {
    json!({ "stream": true, "temperature": 0 })
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let body = json!({ "model": "tiny-1", "max_tokens": 8, "seed": 4, "logprobs": true, "top_logprobs": 2 });
    let (status, answer) = server.chat_json(body.clone()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["object"], "chat.completion");
    assert!(
        answer["id"].as_str().unwrap().starts_with("chatcmpl-") && answer["created"].as_u64().unwrap() > 1_700_000_000
    );
    let choice = &answer["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert!(["stop", "length"].contains(&choice["finish_reason"].as_str().unwrap()));
    let tokens = choice["logprobs"]["content"].as_array().unwrap();
    assert_eq!(tokens.len() as u64, answer["usage"]["completion_tokens"].as_u64().unwrap());
    assert_eq!(tokens[0]["top_logprobs"].as_array().unwrap().len(), 2);
    assert!(tokens[0]["bytes"].is_array() && tokens[0]["logprob"].as_f64().unwrap() <= 0.0);
    let usage = &answer["usage"];
    assert_eq!(usage["total_tokens"].as_u64(), Some(usage["prompt_tokens"].as_u64().unwrap() + tokens.len() as u64));
    assert_eq!(answer["inshore"]["source"], "edge");
    assert!(answer["inshore"]["ttft_ms"].as_f64().unwrap() > 0.0);
    // The same seed, the same answer.
    assert_eq!(server.chat_json(body).await.1["choices"][0]["message"], choice["message"]);
}

#[tokio::test]
async fn a_stream_has_role_deltas_end_usage_and_done() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let body =
        json!({ "max_tokens": 12, "temperature": 0, "stream": true, "stream_options": { "include_usage": true } });
    let answer = server.chat(body).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream"));
    let events = events(&answer.text().await.unwrap());
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(events.last().unwrap(), "[DONE]");
    let usage = &events[events.len() - 2];
    assert!(
        usage["choices"].as_array().unwrap().is_empty() && usage["usage"]["completion_tokens"].as_u64().unwrap() > 0
    );
    let end = &events[events.len() - 3];
    assert!(end["choices"][0]["finish_reason"].is_string() && end["inshore"]["source"] == "edge");
    let streamed: String = events.iter().filter_map(|e| e["choices"][0]["delta"]["content"].as_str()).collect();
    let (_, whole) = server.chat_json(json!({ "max_tokens": 12, "temperature": 0 })).await;
    assert_eq!(whole["choices"][0]["message"]["content"], streamed);
    assert!(events.iter().all(|event| event == "[DONE]" || event["id"] == events[0]["id"]));
}

#[tokio::test]
async fn a_second_turn_runs_only_what_is_new() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let question = json!({ "role": "user", "content": "What does the sea say to the stones at night?" });
    let ask = |messages: Value| json!({ "messages": messages, "max_tokens": 8, "temperature": 0 });
    let usage = |answer: &Value| {
        let usage = &answer["usage"];
        let count = |value: &Value| value.as_u64().expect("a count");
        (count(&usage["prompt_tokens"]), count(&usage["prompt_tokens_details"]["cached_tokens"]))
    };
    let (_, first) = server.chat_json(ask(json!([question]))).await;
    let (asked, cached) = usage(&first);
    assert_eq!(cached, 0);
    let (_, again) = server.chat_json(ask(json!([question]))).await;
    assert_eq!(usage(&again), (asked, asked - 1), "the last token runs, for its logits");
    assert_eq!(again["choices"], first["choices"]);

    let answer = &first["choices"][0]["message"];
    let turns = json!([question, answer, { "role": "user", "content": "And then?" }]);
    let body =
        json!({ "messages": turns, "max_tokens": 8, "stream": true, "stream_options": { "include_usage": true } });
    let events = events(&server.chat(body).await.text().await.unwrap());
    let (all, cached) = usage(&events[events.len() - 2]);
    // At least the first prompt; of the answer, what its text tokenises to again.
    assert!(cached >= asked && cached < all, "{cached} of {all}, of which {asked} are the first turn's");
    assert!(server.chat_json(ask(json!([question]))).await.1["choices"] == first["choices"], "and nothing shows");

    // Somebody else in between.
    let other = "And something quite different, at a length that leaves no doubt about whose conversation this is.";
    server.chat_json(ask(json!([{ "role": "user", "content": other }]))).await;
    assert_eq!(usage(&server.chat_json(ask(json!([question]))).await.1).1, asked - 1);
}

/// Text and token ids of a stream's events.
fn text_and_ids(events: &[Value]) -> (String, Vec<u64>) {
    let text = events.iter().filter_map(|event| event["choices"][0]["delta"]["content"].as_str()).collect();
    let ids = events.iter().filter_map(|event| event["inshore"]["ids"].as_array()).flatten();
    (text, ids.filter_map(Value::as_u64).collect())
}

#[tokio::test]
async fn an_answer_begun_elsewhere_goes_on_from_its_token_ids() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let body = |max: usize, extension: Value| json!({ "max_tokens": max, "temperature": 1, "seed": 5, "stream": true, "inshore": extension });
    let whole = events(&server.chat(body(12, json!({ "ids": true }))).await.text().await.unwrap());
    let model = whole[0]["inshore"]["model_sha256"].as_str().unwrap().to_owned();
    let (text, ids) = text_and_ids(&whole);
    assert_eq!(ids.len(), 12);
    for cut in 1..12 {
        let extension = json!({ "continue_ids": ids[..cut], "model_sha256": model, "ids": true });
        let rest = events(&server.chat(body(12 - cut, extension)).await.text().await.unwrap());
        let (more, more_ids) = text_and_ids(&rest);
        assert_eq!(more_ids, ids[cut..]);
        // Half a code point that was held back at the cut comes out behind it. The first event is the role's.
        let (shown, shown_ids) = text_and_ids(&whole[..=cut]);
        assert_eq!(shown_ids.len(), cut);
        assert_eq!(shown + &more, text, "after {cut} tokens");
    }
    let foreign = body(3, json!({ "continue_ids": [1], "model_sha256": "00".repeat(32), "ids": true }));
    let (status, answer) = server.chat_json(foreign).await;
    assert_eq!((status, answer["error"]["code"].as_str()), (409, Some("model_mismatch")));
}

#[tokio::test]
async fn an_answer_begun_elsewhere_goes_on_from_a_prefix_message() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let user = json!({ "role": "user", "content": "hi" });
    let ask = |messages: Value| json!({ "messages": messages, "max_tokens": 6, "temperature": 0 });
    let (_, plain) = server.chat_json(ask(json!([user]))).await;
    let prefix = json!({ "role": "assistant", "content": "The sea", "prefix": true });
    let (status, answer) = server.chat_json(ask(json!([user, prefix]))).await;
    assert_eq!(status, 200, "{answer}");
    let text = |answer: &Value| answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    // Only what is new, and not what would stand there without the prefix.
    assert!(!text(&answer).starts_with("The sea"));
    assert_ne!(text(&answer), text(&plain));
    let closed = json!({ "role": "assistant", "content": "The sea" });
    assert_ne!(text(&server.chat_json(ask(json!([user, closed]))).await.1), text(&answer));
}

#[tokio::test]
async fn faults_have_openais_shape_and_the_right_status() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &["--context", "64", "--max-body-bytes", "4096"]).await;
    let long = "word ".repeat(200);
    let message = |content: &str| json!([{ "role": "user", "content": content }]);
    for (body, status, code) in [
        (json!({ "temperature": 9 }), 400, "invalid_value"),
        (json!({ "temperature": "hot" }), 400, "invalid_value"),
        (json!({ "messages": message(&long) }), 400, "context_length_exceeded"),
        (json!({ "messages": message(&long), "stream": true }), 400, "context_length_exceeded"),
        (json!({ "messages": message(&"x".repeat(5000)) }), 413, "body_too_large"),
        (json!({ "model": "gpt-17" }), 404, "model_not_found"),
        (json!({ "n": 2 }), 422, "unsupported_feature"),
    ] {
        let (found, answer) = server.chat_json(body).await;
        assert_eq!((found, answer["error"]["code"].as_str()), (status, Some(code)), "{answer}");
        assert!(answer["error"]["message"].is_string() && answer["error"]["type"] == "invalid_request_error");
    }
    let post = |body: &'static str, kind: &'static str| {
        let request = server.client.post(format!("{}/v1/chat/completions", server.url));
        request.header("content-type", kind).body(body).send()
    };
    assert_eq!(post("{\"messages\": [", "application/json").await.unwrap().status(), 400);
    // A page of another origin can only send this without asking first.
    assert_eq!(post("{}", "text/plain").await.unwrap().status(), 415);
    assert_eq!(server.get("/v1/chat/completions").await.status(), 405);
    let nowhere = server.get("/v1/nowhere").await;
    assert_eq!(nowhere.status(), 404);
    assert_eq!(body_json(nowhere).await["error"]["code"], "not_found");
    // After all that it still answers.
    assert_eq!(server.chat_json(json!({ "max_tokens": 1 })).await.0, 200);
}

#[tokio::test]
async fn models_and_health() {
    let folder = TempDir::new();
    let server = Server::start(&tiny_model(&folder, 1), &[]).await;
    let models = body_json(server.get("/v1/models").await).await;
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!("tiny-1")));
    assert_eq!(server.get("/v1/models/tiny-1").await.status(), 200);
    assert_eq!(server.get("/v1/models/other").await.status(), 404);
    let health = body_json(server.get("/health").await).await;
    assert_eq!((&health["status"], &health["backend"]), (&json!("ok"), &json!("flex")));
}

#[tokio::test]
async fn a_client_that_leaves_frees_the_engine() {
    let folder = TempDir::new();
    let server = Server::start(&endless_model(&folder), &ENDLESS).await;
    for stream in [true, false] {
        if stream {
            let mut answer = server.chat(endless()).await;
            let mut chunks = 0;
            while chunks < 3 {
                assert!(answer.chunk().await.unwrap().is_some(), "the stream ended early");
                chunks += 1;
            }
            drop(answer);
        } else {
            let whole = server.chat(json!({ "temperature": 0 }));
            assert!(tokio::time::timeout(Duration::from_millis(500), whole).await.is_err(), "it should still generate");
        }
        let left = Instant::now();
        assert_eq!(server.chat_json(json!({ "max_tokens": 1 })).await.0, 200);
        assert!(
            left.elapsed() < Duration::from_secs(3),
            "stream {stream}: the engine was busy for {:?}",
            left.elapsed()
        );
    }
}

#[tokio::test]
async fn a_full_queue_says_503_and_when_to_come_back() {
    let folder = TempDir::new();
    let server = Server::start(&endless_model(&folder), &[&["--queue", "1"], ENDLESS.as_slice()].concat()).await;
    let mut running = server.chat(endless()).await;
    assert!(running.chunk().await.unwrap().is_some());
    let client = server.client.clone();
    let url = format!("{}/v1/chat/completions", server.url);
    let body = r#"{ "messages": [{ "role": "user", "content": "hello" }], "max_tokens": 1 }"#;
    let waiting = tokio::spawn(client.post(url).header("content-type", "application/json").body(body).send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let refused = server.chat(json!({ "max_tokens": 1 })).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(body_json(refused).await["error"]["code"], "busy");
    drop(running);
    assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_ends_a_running_stream_with_an_error_and_the_program_with_0() {
    let folder = TempDir::new();
    let mut server = Server::start(&endless_model(&folder), &ENDLESS).await;
    let mut answer = server.chat(endless()).await;
    assert!(answer.chunk().await.unwrap().is_some());
    support::signal(&server.child, "TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    support::signal(&server.child, "TERM");
    let events = events(&answer.text().await.unwrap());
    assert_eq!(events.last().unwrap()["error"]["code"], "stopping");
    assert!(!events.contains(&json!("[DONE]")));
    let status = tokio::task::spawn_blocking(move || support::wait(&mut server.child)).await.unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn other_origins_are_kept_out_unless_named() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let closed = Server::start(&model, &[]).await;
    let opened = Server::start(&model, &["--cors-origin", "https://app.example"]).await;
    let preflight = |server: &Server, origin: &'static str| {
        let request = server.client.request(reqwest::Method::OPTIONS, format!("{}/v1/chat/completions", server.url));
        let request = request.header("origin", origin).header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "content-type").send()
    };
    let allowed = |answer: &reqwest::Response| {
        answer.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed(&preflight(&closed, "https://app.example").await.unwrap()), None);
    let named = preflight(&opened, "https://app.example").await.unwrap();
    assert_eq!((named.status().as_u16(), allowed(&named).as_deref()), (200, Some("https://app.example")));
    assert_eq!(allowed(&preflight(&opened, "https://evil.example").await.unwrap()), None);
    // A page of that origin sees what it needs to fetch a model in parts.
    let health = opened.client.get(format!("{}/health", opened.url)).header("origin", "https://app.example");
    let exposed = health.send().await.unwrap().headers()["access-control-expose-headers"].to_str().unwrap().to_owned();
    assert!(exposed.contains("content-range") && exposed.contains("retry-after"), "{exposed}");
}

#[tokio::test]
async fn the_page_comes_with_types_ranges_and_isolation() {
    let folder = TempDir::new();
    let web = folder.path().join("web");
    std::fs::create_dir(&web).unwrap();
    std::fs::write(web.join("index.html"), "<h1>page</h1>").unwrap();
    std::fs::write(web.join("engine.wasm"), b"\0asm-and-more").unwrap();
    let server = Server::start(&tiny_model(&folder, 1), &["--web", web.to_str().unwrap()]).await;
    let page = server.get("/").await;
    assert_eq!(page.headers()["content-type"], "text/html");
    assert_eq!(page.headers()["cross-origin-opener-policy"], "same-origin");
    assert_eq!(page.headers()["cross-origin-embedder-policy"], "require-corp");
    assert_eq!(page.text().await.unwrap(), "<h1>page</h1>");
    let wasm =
        server.client.get(format!("{}/engine.wasm", server.url)).header("range", "bytes=1-3").send().await.unwrap();
    assert_eq!((wasm.status().as_u16(), &wasm.headers()["content-type"].to_str().unwrap()), (206, &"application/wasm"));
    assert_eq!(wasm.text().await.unwrap(), "asm");
    assert_eq!(server.get("/absent.js").await.status(), 404);
    assert_eq!(server.get("/../Cargo.toml").await.status(), 404);
    assert_eq!(server.get("/%2e%2e/%2e%2e/etc/passwd").await.status(), 404);
    assert_eq!(server.get("/v1/models").await.status(), 200);
}

#[tokio::test]
async fn the_model_file_comes_in_ranges_that_match_the_manifest() {
    use sha2::{Digest, Sha256};
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let bytes = std::fs::read(&model).unwrap();
    let server = Server::start(&model, &[]).await;
    let manifest = body_json(server.get("/models/manifest.json").await).await;
    let entry = &manifest["models"][0];
    assert_eq!((&entry["name"], &entry["file"]), (&json!("tiny-1"), &json!("tiny-1.gguf")));
    assert_eq!(entry["bytes"], bytes.len());
    let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(entry["sha256"], hash);
    let url = format!("{}{}", server.url, entry["url"].as_str().unwrap());
    let whole = server.client.get(&url).send().await.unwrap();
    let etag = whole.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!((whole.status().as_u16(), &whole.headers()["accept-ranges"]), (200, &"bytes".parse().unwrap()));
    assert_eq!(whole.bytes().await.unwrap(), bytes);
    let ask = |headers: Vec<(&'static str, String)>| {
        let request =
            headers.into_iter().fold(server.client.get(&url), |request, (name, value)| request.header(name, value));
        request.send()
    };
    let range = "bytes=100-299".to_owned();
    let part = ask(vec![("range", range.clone()), ("if-range", etag.clone())]).await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.headers()["content-range"].to_str().unwrap(), format!("bytes 100-299/{}", bytes.len()));
    assert_eq!(part.bytes().await.unwrap(), bytes[100..300]);
    let other = ask(vec![("range", range), ("if-range", "\"another\"".to_owned())]).await.unwrap();
    assert_eq!((other.status().as_u16(), other.content_length()), (200, Some(bytes.len() as u64)));
    let outside = ask(vec![("range", format!("bytes={}-", bytes.len()))]).await.unwrap();
    assert_eq!(outside.status(), 416);
    assert_eq!(ask(vec![("if-none-match", etag)]).await.unwrap().status(), 304);
    let head = server.client.head(&url).send().await.unwrap();
    assert_eq!(head.headers()["content-length"].to_str().unwrap(), bytes.len().to_string());
}

#[test]
fn starts_that_cannot_work_say_why() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 1);
    let model = model.to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    assert!(support::refusal(&["serve", "--model", model, "--port", &port]).contains("--port"));
    assert!(support::refusal(&["serve", "--model", model, "--web", "/nonexistent"]).contains("not a folder"));
    assert!(support::refusal(&["serve", "--model", model, "--cors-origin", "*"]).contains("origin"));
    let bad = folder.path().join("bad.gguf");
    std::fs::write(&bad, "nothing").unwrap();
    let output = support::run(&["serve", "--port", "0", "--device", "cpu", "--model", bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(support::text(&output.stderr).contains("not a GGUF file"));
}
