//! The table of servers that lie, `tests/protocol/downloads.json`, against the host.

use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use crate::hub::Hub;
use crate::support::text;

/// Cases that run at the same time: most of the time of a failing download is the pause before another try.
const AT_ONCE: usize = 16;

#[test]
fn servers_that_lie_leave_nothing_false_and_are_asked_again() {
    let table = crate::table();
    let cases = Mutex::new(table["cases"].as_array().expect("the table has cases").iter());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().next() else { return };
                    if let Err(what) = check(case) {
                        failures.lock().unwrap().push(format!("{}: {}: {what}", case["kind"], case["name"]));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

fn check(case: &Value) -> Result<(), String> {
    let expected = case["expect"].as_str().or_else(|| case["expect"]["host"].as_str()).expect("the case has `expect`");
    let hub = Hub::start(case);
    let output = hub.pull();
    let said = text(&output.stderr);
    if hub.seen().iter().any(|seen| seen.elsewhere && seen.headers.contains_key("authorization")) {
        return Err("the token went to another server".to_owned());
    }
    if matches!(expected, "stored" | "other") {
        let bytes = hub.body(if expected == "stored" { "file" } else { "other" });
        hub.check_stored(&output, bytes)?;
        let gets = hub.gets();
        hub.check_stored(&hub.pull(), bytes)?;
        return if hub.gets() == gets { Ok(()) } else { Err("a stored model was asked for again".to_owned()) };
    }
    if output.status.code() != Some(1) || !said.contains(&format!("error[{expected}]")) {
        return Err(format!("expected {expected}, got {:?}: {said}", output.status.code()));
    }
    if let Some(phrase) = case["says"].as_str().filter(|phrase| !said.contains(*phrase)) {
        return Err(format!("the error does not say {phrase:?}: {said}"));
    }
    hub.check_nothing_false()?;
    hub.become_honest();
    let gets = hub.gets();
    hub.check_stored(&hub.pull(), hub.file()).map_err(|what| format!("then, from the honest server: {what}"))?;
    if hub.gets() > gets { Ok(()) } else { Err("the honest server was not asked".to_owned()) }
}
