use std::time::{Duration, SystemTime};

use super::*;

fn etag(text: &str) -> Validator {
    Validator { etag: Some(text.to_owned()), last_modified: None }
}

fn modified(text: &str) -> Validator {
    Validator { etag: None, last_modified: Some(text.to_owned()) }
}

/// Byte 40 on of a file of 100 bytes, version `"a"`.
fn asked() -> Asked {
    Asked { start: 40, validator: etag("\"a\""), known_bytes: Some(100), ..Asked::default() }
}

fn whole() -> Asked {
    Asked::default()
}

fn part(range: &str) -> AnswerHead {
    AnswerHead { status: 206, content_range: Some(range.to_owned()), validator: etag("\"a\""), ..AnswerHead::default() }
}

fn ok(range: Option<&str>, content_length: Option<u64>) -> AnswerHead {
    AnswerHead { status: 200, content_range: range.map(str::to_owned), content_length, ..AnswerHead::default() }
}

#[test]
fn a_range_is_taken_only_where_it_begins_as_asked() {
    assert_eq!(judge(&part("bytes 40-99/100"), &asked()), Verdict::Range { end: 100, total_bytes: 100 });
    assert_eq!(judge(&part("bytes 40-59/100"), &asked()), Verdict::Range { end: 60, total_bytes: 100 });
    assert_eq!(judge(&part("bytes 40-99/*"), &asked()), Verdict::Range { end: 100, total_bytes: 100 });
    for wrong in ["bytes 0-99/100", "bytes 41-99/100", "bytes 39-99/100", "bytes */100", "garbage", "items 40-99/100"] {
        assert_eq!(judge(&part(wrong), &asked()), Verdict::NoRanges, "{wrong}");
    }
    assert_eq!(judge(&AnswerHead { content_range: None, ..part("") }, &asked()), Verdict::NoRanges);
}

#[test]
fn a_range_whose_body_has_another_length_is_not_taken() {
    for (length, expected) in [(60, Verdict::Range { end: 100, total_bytes: 100 }), (100, Verdict::NoRanges)] {
        let answer = AnswerHead { content_length: Some(length), ..part("bytes 40-99/100") };
        assert_eq!(judge(&answer, &asked()), expected, "{length}");
    }
}

#[test]
fn a_range_of_another_version_is_not_taken() {
    let other = |validator| AnswerHead { validator, ..part("bytes 40-99/100") };
    assert_eq!(judge(&other(etag("\"b\"")), &asked()), Verdict::Changed);
    assert_eq!(judge(&part("bytes 40-100/101"), &asked()), Verdict::Changed);
    // Nothing ties it to what is here.
    assert_eq!(judge(&other(Validator::default()), &asked()), Verdict::NoRanges);
    assert_eq!(judge(&other(modified("x")), &asked()), Verdict::NoRanges);
    let hashed = Asked { hashed: true, ..asked() };
    assert_eq!(judge(&other(Validator::default()), &hashed), Verdict::Range { end: 100, total_bytes: 100 });
    let by_date = Asked { validator: modified("x"), ..asked() };
    assert_eq!(judge(&other(modified("x")), &by_date), Verdict::Range { end: 100, total_bytes: 100 });
    assert_eq!(judge(&other(modified("y")), &by_date), Verdict::Changed);
}

#[test]
fn equal_weak_etags_do_not_prove_equal_bytes() {
    let weak =
        |date: Option<&str>| Validator { etag: Some("W/\"a\"".to_owned()), last_modified: date.map(str::to_owned) };
    assert_eq!(weak(None).compare(&weak(None)), Comparison::Unknown);
    assert_eq!(weak(Some("x")).compare(&weak(Some("x"))), Comparison::Same);
    assert_eq!(weak(Some("x")).compare(&weak(Some("y"))), Comparison::Changed);
    assert_eq!(weak(Some("x")).compare(&etag("W/\"b\"")), Comparison::Changed);
    let strong = Validator { last_modified: Some("y".to_owned()), ..etag("\"a\"") };
    assert_eq!(strong.compare(&Validator { last_modified: Some("x".to_owned()), ..strong.clone() }), Comparison::Same);
}

#[test]
fn a_200_that_says_it_is_a_part_is_not_the_whole() {
    assert_eq!(judge(&ok(None, Some(100)), &asked()), Verdict::Whole { total_bytes: Some(100) });
    assert_eq!(judge(&ok(Some("bytes 0-99/100"), None), &asked()), Verdict::Whole { total_bytes: Some(100) });
    for (range, length) in [
        ("bytes 40-99/100", Some(60)),
        ("bytes 40-99/100", Some(100)),
        ("bytes 0-59/100", Some(60)),
        ("bytes 0-99/100", Some(60)),
        ("bytes 0-99/*", Some(100)),
        ("nonsense", Some(100)),
    ] {
        assert_eq!(judge(&ok(Some(range), length), &asked()), Verdict::NoRanges, "{range}");
        assert_eq!(judge(&ok(Some(range), length), &whole()), Verdict::BadRange, "{range}");
    }
}

#[test]
fn a_part_that_nobody_asked_for_is_refused_unless_it_is_everything() {
    assert_eq!(judge(&part("bytes 0-99/100"), &whole()), Verdict::Whole { total_bytes: Some(100) });
    assert_eq!(judge(&part("bytes 0-49/100"), &whole()), Verdict::BadRange);
    assert_eq!(judge(&part("bytes 50-99/100"), &whole()), Verdict::BadRange);
}

#[test]
fn compressed_bytes_are_not_the_files() {
    for encoding in ["gzip", "br", "zstd", "identity, gzip", "GZIP", "unheard-of"] {
        let encode = |answer| AnswerHead { content_encoding: Some(encoding.to_owned()), ..answer };
        assert_eq!(judge(&encode(ok(None, Some(50))), &asked()), Verdict::Encoded, "{encoding}");
        assert_eq!(judge(&encode(part("bytes 40-99/100")), &asked()), Verdict::NoRanges, "{encoding}");
    }
    let identity = AnswerHead { content_encoding: Some("identity".to_owned()), ..ok(None, None) };
    assert_eq!(judge(&identity, &asked()), Verdict::Whole { total_bytes: None });
}

#[test]
fn an_unexpected_size_is_refused_before_a_byte_is_read() {
    let sized = Asked { expected_bytes: Some(90), known_bytes: None, ..asked() };
    let wrong = Verdict::WrongSize { got_bytes: 100 };
    assert_eq!(judge(&ok(None, Some(100)), &sized), wrong);
    assert_eq!(judge(&part("bytes 40-99/100"), &sized), wrong);
    let past = AnswerHead { status: 416, content_range: Some("bytes */100".to_owned()), ..AnswerHead::default() };
    assert_eq!(judge(&past, &sized), wrong);
}

#[test]
fn a_range_past_the_end_means_complete_or_changed() {
    let past = |range: Option<&str>, validator| AnswerHead {
        status: 416,
        content_range: range.map(str::to_owned),
        validator,
        ..AnswerHead::default()
    };
    let all_here = Asked { start: 100, ..asked() };
    assert_eq!(judge(&past(Some("bytes */100"), etag("\"a\"")), &all_here), Verdict::Complete);
    assert_eq!(judge(&past(Some("bytes */100"), etag("\"b\"")), &all_here), Verdict::Changed);
    assert_eq!(judge(&past(Some("bytes */100"), Validator::default()), &all_here), Verdict::Changed);
    let hashed = Asked { hashed: true, ..all_here.clone() };
    assert_eq!(judge(&past(Some("bytes */100"), Validator::default()), &hashed), Verdict::Complete);
    assert_eq!(judge(&past(Some("bytes */30"), etag("\"a\"")), &all_here), Verdict::Changed);
    assert_eq!(judge(&past(None, etag("\"a\"")), &all_here), Verdict::Changed);
    assert_eq!(judge(&past(Some("bytes */100"), etag("\"a\"")), &whole()), Verdict::Refused);
}

#[test]
fn other_statuses_are_no_file() {
    for status in [100, 201, 202, 203, 204, 205, 300, 301, 304, 400, 401, 404, 418, 500, 503, 599] {
        assert_eq!(judge(&AnswerHead { status, ..AnswerHead::default() }, &asked()), Verdict::Refused, "{status}");
    }
}

#[test]
fn conditions_use_strong_validators() {
    assert_eq!(etag("\"a\"").if_range(), Some("\"a\""));
    assert_eq!(etag("W/\"a\"").if_range(), None);
    let weak = Validator { etag: Some("W/\"a\"".to_owned()), last_modified: Some("x".to_owned()) };
    assert_eq!(weak.if_range(), Some("x"));
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let date = httpdate::fmt_http_date(now + Duration::from_secs(90));
    for (text, expected) in [
        ("7", Some(7)),
        (" 7 ", Some(7)),
        ("1.5", Some(2)),
        ("0", Some(0)),
        (date.as_str(), Some(90)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("soon", None),
        ("-3", None),
        ("inf", None),
        ("NaN", None),
        ("", None),
    ] {
        assert_eq!(retry_after_s(text, now), expected, "{text}");
    }
}
