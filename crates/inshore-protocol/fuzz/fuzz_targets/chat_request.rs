//! Any bytes as a request's body: reading them never panics, and what is taken can be written and read again.
#![no_main]

use inshore_protocol::ChatRequest;
use libfuzzer_sys::{Corpus, fuzz_target};

fuzz_target!(|body: &[u8]| -> Corpus {
    // What has no messages is refused early; bodies that get further make the better corpus.
    let Ok(request) = ChatRequest::parse(body) else {
        return if body.contains(&b'{') { Corpus::Keep } else { Corpus::Reject };
    };
    assert!(!request.messages.is_empty());
    assert!(request.stop.iter().all(|stop| !stop.is_empty()));
    let again = ChatRequest::parse(request.to_body().to_string().as_bytes()).expect("what was written is a sound body");
    // The features that an engine lacks are not written.
    let local_lacks = request.prefix.iter().map(|_| "prefix").collect();
    assert_eq!(again, ChatRequest { local_lacks, ..request });
    Corpus::Keep
});
