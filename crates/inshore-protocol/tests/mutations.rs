//! Bodies that nobody wrote down: those of the table with bytes changed, dropped, doubled and joined.

use inshore_protocol::ChatRequest;
use inshore_protocol::testing::request_cases;
use proptest::prelude::*;
use proptest::sample::Index;

/// A change at some place.
#[derive(Debug, Clone)]
enum Change {
    Replace(Index, u8),
    Drop(Index, Index),
    Double(Index, Index),
    Insert(Index, &'static str),
}

/// Texts that mean something to a reader of JSON or to the check.
const TEXTS: [&str; 14] = [
    "\\ud83d",
    "\"",
    "\\",
    "[",
    "{",
    "]",
    "}",
    "null",
    "1e999",
    "-0",
    "\u{feff}",
    ",\"seed\":-1",
    ",\"stop\":[\"\"]",
    "\\u0000",
];

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (at(), at()).prop_map(|(from, to)| Change::Drop(from, to)),
        (at(), at()).prop_map(|(from, to)| Change::Double(from, to)),
        (at(), prop::sample::select(TEXTS.to_vec())).prop_map(|(at, text)| Change::Insert(at, text)),
    ]
}

fn apply(body: &mut Vec<u8>, change: &Change) {
    let place = |index: &Index| index.index(body.len() + 1);
    let span = |from: &Index, to: &Index| {
        let (from, to) = (place(from), place(to));
        from.min(to)..from.max(to)
    };
    match change {
        Change::Replace(at, byte) => {
            let at = place(at);
            if let Some(found) = body.get_mut(at) {
                *found = *byte;
            }
        }
        Change::Drop(from, to) => drop(body.drain(span(from, to))),
        Change::Double(from, to) => {
            let copied = body[span(from, to)].to_vec();
            body.extend(copied);
        }
        Change::Insert(at, text) => {
            let at = place(at);
            body.splice(at..at, text.bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_and_what_is_taken_is_read_the_same_again(
        start in any::<Index>(),
        changes in prop::collection::vec(change(), 1..5),
    ) {
        thread_local!(static CASES: Vec<Vec<u8>> = request_cases().into_iter().map(|case| case.body).collect());
        let mut body = CASES.with(|bodies| start.get(bodies).clone());
        for change in &changes {
            apply(&mut body, change);
        }
        if let Ok(request) = ChatRequest::parse(&body) {
            let again = ChatRequest::parse(request.to_body().to_string().as_bytes());
            let local_lacks = request.prefix.iter().map(|_| "prefix").collect();
            prop_assert_eq!(again, Ok(ChatRequest { local_lacks, ..request }));
        }
    }
}
