//! The plan of a GPU's products: forced, measured, remembered. Needs a GPU, if only one in software.
#![cfg(feature = "gpu")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{TempDir, inshore, text, tiny_model};

/// Ids of a greedy answer on a device, with the cache in `folder`.
fn answer_on(device: &str, folder: &TempDir, model: &Path, extra: &[&str]) -> Value {
    let mut arguments = vec!["generate", "--json", "--device", device, "--model", model.to_str().unwrap()];
    arguments.extend(["--prompt", "What the sea says", "--raw", "--temperature", "0", "--max-tokens", "12"]);
    arguments.extend(["--context", "64"]);
    arguments.extend(extra);
    let output = inshore(&arguments).env("INSHORE_CACHE", folder.path()).output().expect("the binary starts");
    assert!(output.status.success(), "{extra:?}: {}", text(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["ids"].clone()
}

fn answer(folder: &TempDir, model: &Path, extra: &[&str]) -> Value {
    answer_on("gpu", folder, model, extra)
}

fn plans(folder: &TempDir) -> PathBuf {
    folder.path().join("gpu-plans.json")
}

fn remembered(folder: &TempDir) -> Value {
    serde_json::from_slice(&std::fs::read(plans(folder)).expect("a file of plans")).unwrap()
}

#[test]
fn a_plan_is_measured_when_asked_for_and_remembered_and_changes_no_token() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 3);
    let by_rule = answer(&folder, &model, &["--tune", "never"]);
    assert_eq!(answer(&folder, &model, &["--gpu-plan", "2 rows/workgroup/32x32/1 parts"]), by_rule);
    assert!(!plans(&folder).exists(), "nothing was measured");

    std::fs::write(plans(&folder), "{ not JSON").unwrap();
    assert_eq!(answer(&folder, &model, &["--tune", "always"]), by_rule);
    let known = remembered(&folder);
    let (key, plan) = known["plans"].as_object().unwrap().iter().next().expect("the plan");
    assert!(key.contains("96x64 Q8_0/Q8_0") && key.contains(env!("CARGO_PKG_VERSION")), "{key}");
    assert!(plan.as_str().unwrap().contains(" rows/"), "{plan}");

    // What is remembered is taken as it is, and what makes no sense is not.
    for plan in ["2 rows/plane 32/64x32/1 parts", "fast", "2 rows/workgroup/32x32/1 parts"] {
        let mut known = known.clone();
        known["plans"][key] = plan.into();
        std::fs::write(plans(&folder), known.to_string()).unwrap();
        assert_eq!(answer(&folder, &model, &[]), by_rule, "{plan}");
    }
    let listed = inshore(&["devices"]).env("INSHORE_CACHE", folder.path()).output().unwrap();
    assert!(
        text(&listed.stdout).contains("measured: 2 rows/workgroup/32x32/1 parts for 96x64"),
        "{}",
        text(&listed.stdout)
    );
}

#[test]
fn a_device_with_the_least_that_webgpu_promises_answers_the_same() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 3);
    let expected = answer(&folder, &model, &[]);
    assert_eq!(answer_on("gpu-least", &folder, &model, &[]), expected);
}

#[test]
fn a_plan_that_the_device_cannot_run_is_refused() {
    let folder = TempDir::new();
    let model = tiny_model(&folder, 3);
    let arguments = ["generate", "--model", model.to_str().unwrap(), "--prompt", "a", "--device", "gpu-least"];
    let said = support::refusal(&[arguments.as_slice(), &["--gpu-plan", "4 rows/workgroup/128x64/1 parts"]].concat());
    assert!(said.contains("cannot run the plan"), "{said}");
    let unknown = support::run(&[arguments.as_slice(), &["--gpu-plan", "quick"]].concat());
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("4 rows/plane 32/64x32/8 parts"), "{}", text(&unknown.stderr));
}
