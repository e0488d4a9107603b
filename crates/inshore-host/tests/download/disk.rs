//! What may lie in the cache folder before a download, or stand in its way.

use std::fs;

use serde_json::{Value, json};

use crate::bodies::sha256;
use crate::hub::Hub;
use crate::support::{TempDir, inshore, text};

/// Puts `bytes` where the model belongs, with the stamp that an older program gave to anything.
fn store(hub: &Hub, bytes: &[u8]) {
    fs::create_dir_all(hub.place().parent().unwrap()).unwrap();
    fs::write(hub.place(), bytes).unwrap();
    let stamp = json!({ "bytes": bytes.len(), "sha256": sha256(bytes) });
    fs::write(hub.beside(".stamp"), stamp.to_string()).unwrap();
}

/// Leaves a part with its note.
fn leave_part(hub: &Hub, bytes: &[u8], note: &str) {
    fs::create_dir_all(hub.place().parent().unwrap()).unwrap();
    fs::write(hub.beside(".part"), bytes).unwrap();
    fs::write(hub.beside(".part.json"), note).unwrap();
}

fn note_of(hub: &Hub) -> Value {
    serde_json::from_slice(&fs::read(hub.beside(".part.json")).unwrap()).unwrap()
}

#[test]
fn files_that_older_programs_called_ready_are_checked() {
    let check = |name: &str| {
        let hub = Hub::honest(Value::Null);
        store(&hub, hub.body(name));
        let output = hub.pull();
        hub.check_stored(&output, hub.file()).unwrap();
        assert!(text(&output.stderr).contains("not a usable model"), "{name}: {}", text(&output.stderr));
        // Where the hub cannot be reached, the false file is gone all the same.
        let hub = Hub::honest(Value::Null);
        store(&hub, hub.body(name));
        let offline = hub.command().env("HF_ENDPOINT", "http://127.0.0.1:1").output().unwrap();
        assert_eq!(offline.status.code(), Some(1), "{name}");
        hub.check_nothing_false().unwrap();
    };
    std::thread::scope(|scope| {
        for name in ["html", "lfs_pointer", "empty", "json", "magic_only", "short_tensors", "unknown_value"] {
            scope.spawn(move || check(name));
        }
    });
    // A sound one is kept, without a request.
    let hub = Hub::honest(Value::Null);
    store(&hub, hub.file());
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    assert_eq!(hub.seen().len(), 0);
}

#[test]
fn a_stored_file_that_was_changed_is_noticed() {
    for change in ["shorter", "longer", "another magic", "gone"] {
        let hub = Hub::honest(Value::Null);
        hub.check_stored(&hub.pull(), hub.file()).unwrap();
        let mut bytes = hub.file().to_vec();
        match change {
            "shorter" => bytes.truncate(1000),
            "longer" => bytes.push(0),
            "another magic" => bytes[0] = b'X',
            _ => fs::remove_file(hub.place()).unwrap(),
        }
        if change != "gone" {
            fs::write(hub.place(), bytes).unwrap();
        }
        hub.check_stored(&hub.pull(), hub.file()).unwrap_or_else(|what| panic!("{change}: {what}"));
        assert_eq!(hub.gets(), 2, "{change}");
    }
}

#[test]
fn damaged_stamps_cost_a_check_and_not_a_download() {
    for stamp in ["", "{", "null", "{\"bytes\":1,\"sha256\":\"x\"}", "\u{0}\u{0}\u{0}", "[]"] {
        let hub = Hub::honest(json!("both"));
        store(&hub, hub.file());
        fs::write(hub.beside(".stamp"), stamp).unwrap();
        hub.check_stored(&hub.pull(), hub.file()).unwrap();
        assert_eq!(hub.gets(), 0, "{stamp}");
        // Without a hash from the hub nothing shows that the file is the right one.
        let hub = Hub::honest(Value::Null);
        store(&hub, hub.body("other"));
        fs::write(hub.beside(".stamp"), stamp).unwrap();
        hub.check_stored(&hub.pull(), hub.file()).unwrap();
        assert_eq!(hub.gets(), 1, "{stamp}");
    }
}

#[test]
fn parts_that_do_not_belong_to_the_file_are_not_used() {
    let hub = Hub::honest(Value::Null);
    let url = |hub: &Hub| format!("{}/owner/repo/resolve/main/model.gguf", hub.url());
    let right = json!({ "url": url(&hub), "etag": "\"v1\"", "total_bytes": hub.file().len(), "sha256": null });
    let with = |key: &str, value: Value| {
        let mut note = right.clone();
        note[key] = value;
        note.to_string()
    };
    for (what, note, resumes) in [
        ("right", right.to_string(), true),
        ("of another address", with("url", json!("http://elsewhere/model.gguf")), false),
        ("of another version", with("etag", json!("\"v0\"")), false),
        ("of another size", with("total_bytes", json!(500)), false),
        ("of no version", with("etag", Value::Null), false),
        ("of a weak version", with("etag", json!("W/\"v1\"")), false),
        ("without a note", String::new(), false),
        ("with half a note", "{\"url\":\"htt".to_owned(), false),
        ("with a note that is a list", "[1, 2]".to_owned(), false),
    ] {
        fs::remove_dir_all(hub.place().parent().unwrap()).ok();
        // Bytes that are wrong where they must not be used.
        let bytes = if resumes { hub.file()[..1000].to_vec() } else { vec![7; 1000] };
        leave_part(&hub, &bytes, &note);
        let before = hub.range_starts().len();
        hub.check_stored(&hub.pull(), hub.file()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let starts = hub.range_starts();
        let asked = starts[before..].contains(&1000);
        assert!(asked == resumes || what == "of another version", "{what}: {starts:?}");
    }
    // Longer than the file.
    fs::remove_dir_all(hub.place().parent().unwrap()).ok();
    leave_part(&hub, &[hub.file(), hub.file()].concat(), &right.to_string());
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    // Complete already: only the name is missing.
    fs::remove_dir_all(hub.place().parent().unwrap()).ok();
    leave_part(&hub, hub.file(), &right.to_string());
    let gets = hub.gets();
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    assert_eq!(hub.gets(), gets);
    // Complete, and its length was never said.
    fs::remove_dir_all(hub.place().parent().unwrap()).ok();
    leave_part(&hub, hub.file(), &with("total_bytes", Value::Null));
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    assert_eq!(hub.gets(), gets + 1);
}

#[test]
fn a_part_of_the_right_hash_and_wrong_bytes_is_fetched_anew() {
    let hub = Hub::honest(json!("both"));
    let note = json!({ "url": "x", "etag": null, "total_bytes": hub.file().len(), "sha256": sha256(hub.file()) });
    leave_part(&hub, &hub.body("other")[..300_000], &note.to_string());
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    assert_eq!(hub.range_starts(), [300_000]);
    assert_eq!(hub.gets(), 2);
}

#[test]
fn secrets_of_the_address_are_in_no_note_and_no_message() {
    let hub = Hub::start(&json!({ "gets": [{ "honest": true, "cut": 300_000 }, { "status": 404, "body": "text" }] }));
    let address = hub.url().replace("http://", "http://user:password@");
    let output = hub.command().env("HF_ENDPOINT", address).output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("error[model_not_found]") && !said.contains("password"), "{said}");
    let url = note_of(&hub)["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("http://127.0.0.1") && !url.contains("password"), "{url}");
}

#[cfg(unix)]
#[test]
fn links_in_the_cache_are_replaced_and_never_written_through() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new();
    let precious = folder.path().join("precious.txt");
    for ending in [".part", ".part.json", ".part.json.new", ".stamp", ".stamp.new", ""] {
        let hub = Hub::honest(Value::Null);
        fs::create_dir_all(hub.place().parent().unwrap()).unwrap();
        fs::write(&precious, "GGUF, or so it says").unwrap();
        symlink(&precious, hub.beside(ending)).unwrap();
        hub.check_stored(&hub.pull(), hub.file()).unwrap_or_else(|what| panic!("{ending}: {what}"));
        assert_eq!(fs::read(&precious).unwrap(), b"GGUF, or so it says", "{ending}");
    }
    // A link to nowhere, and a folder that is a link.
    let hub = Hub::honest(Value::Null);
    fs::create_dir_all(hub.place().parent().unwrap()).unwrap();
    symlink("/nonexistent/file", hub.place()).unwrap();
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    let hub = Hub::honest(Value::Null);
    symlink(folder.path(), hub.cache.path().join("models")).unwrap();
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_is_an_error_and_no_model() {
    // A file where the folder should be, a folder where a file should be.
    let hub = Hub::honest(Value::Null);
    let file = hub.cache.path().join("file");
    fs::write(&file, "").unwrap();
    let output = hub.command().env("INSHORE_CACHE", &file).output().unwrap();
    assert!(text(&output.stderr).contains("error[write_failed]"), "{}", text(&output.stderr));
    for ending in ["", ".part", ".lock", ".part.json"] {
        let hub = Hub::honest(Value::Null);
        fs::create_dir_all(hub.beside(ending).join("inside")).unwrap();
        let output = hub.pull();
        assert!(text(&output.stderr).contains("error[write_failed]"), "{ending}: {}", text(&output.stderr));
        fs::remove_dir_all(hub.beside(ending)).unwrap();
        hub.check_stored(&hub.pull(), hub.file()).unwrap_or_else(|what| panic!("{ending}: {what}"));
    }
    // A folder that may only be read. (The superuser may write everywhere.)
    use std::os::unix::fs::PermissionsExt;
    let hub = Hub::honest(Value::Null);
    let folder = hub.place().parent().unwrap().to_owned();
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    let output = hub.pull();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    if !output.status.success() {
        assert!(text(&output.stderr).contains("error[write_failed]"), "{}", text(&output.stderr));
    }
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
}

#[cfg(unix)]
#[test]
fn a_disk_that_ends_in_the_middle_keeps_a_part_that_is_finished_later() {
    let hub = Hub::honest(Value::Null);
    let pull = hub.command();
    // A limit on the size of files is the one full disk that a test can have without rights.
    let mut command = std::process::Command::new("sh");
    command
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 512; exec \"$0\" \"$@\"")
        .arg(pull.get_program())
        .args(pull.get_args());
    for (name, value) in pull.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("error[write_failed]"), "{}", text(&output.stderr));
    hub.check_nothing_false().unwrap();
    hub.check_stored(&hub.pull(), hub.file()).unwrap();
    // What was on the disk was not fetched again.
    assert_eq!(hub.range_starts(), [512 * 512]);
}

#[test]
fn references_that_could_leave_the_cache_are_refused_without_a_request() {
    let long = format!("hf:a/b/{}.gguf", "x".repeat(300));
    let deep = format!("hf:a/b/{}m.gguf", "d/".repeat(600));
    for bad in [
        "hf:../../etc/m.gguf",
        "hf:a/b/../../../m.gguf",
        "hf:a/b/%2e%2e/m.gguf",
        "hf:a/b/..%2Fm.gguf",
        "hf:a/b/m.gguf@../..",
        "hf:a/b/m.gguf@%2e%2e",
        "hf:a/b/c\\..\\m.gguf",
        "hf:a/b/.hidden.gguf",
        "hf:a/b//m.gguf",
        "hf:/a/b/m.gguf",
        "hf:a/b/m.gguf?x=1",
        "hf:a/b/m.gguf#x",
        "hf:a/b/m .gguf",
        "hf:a/b/m\n.gguf",
        "hf:a/b/mödel.gguf",
        "hf:a/b/C:m.gguf",
        "hf:a/b/m.gguf@",
        "hf:a/b/m.bin",
        "hf:https://host/a/b/m.gguf",
        &long,
        &deep,
    ] {
        let hub = Hub::honest(Value::Null);
        let mut command = inshore(&["pull", bad]);
        let output = command.env("HF_ENDPOINT", hub.url()).env("INSHORE_CACHE", hub.cache.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{bad}: {}", text(&output.stderr));
        assert!(hub.seen().is_empty(), "{bad}");
        assert_eq!(fs::read_dir(hub.cache.path()).unwrap().count(), 0, "{bad}");
    }
}
