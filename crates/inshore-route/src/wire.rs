//! Events as they come in JSON.
//!
//! One flat structure with everything optional, rather than serde's own code for tagged enums: that buffers the object and
//! brings every nested type twice, which made the wasm module a third larger.

use serde::Deserialize;

use crate::event::{FailureKind, RequestSpec, RouteEvent, Snapshot};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Begin,
    Tokens,
    Alive,
    Failed,
    Finished,
    LoadEnded,
    Cancelled,
    Wake,
    Visibility,
    Connectivity,
    CloudEnabled,
    Suspended,
}

/// All fields of all events.
#[derive(Deserialize)]
pub(crate) struct WireEvent {
    r#type: Type,
    request: Option<u64>,
    leg: Option<u64>,
    spec: Option<Box<RequestSpec>>,
    snapshot: Option<Box<Snapshot>>,
    tokens: Option<u32>,
    ids: Option<bool>,
    kind: Option<FailureKind>,
    key: Option<String>,
    retry_after_ms: Option<f64>,
    prefill_tps: Option<f64>,
    decode_tps: Option<f64>,
    hidden: Option<bool>,
    online: Option<bool>,
    enabled: Option<bool>,
    lost_ms: Option<f64>,
}

/// An event without something that it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("missing field `{0}`")]
pub(crate) struct MissingField(&'static str);

impl TryFrom<WireEvent> for RouteEvent {
    type Error = MissingField;

    fn try_from(wire: WireEvent) -> Result<Self, MissingField> {
        let missing = MissingField;
        let request = wire.request.ok_or(missing("request"));
        let leg = wire.leg.ok_or(missing("leg"));
        Ok(match wire.r#type {
            Type::Begin => Self::Begin {
                request: request?,
                spec: *wire.spec.ok_or(missing("spec"))?,
                snapshot: *wire.snapshot.ok_or(missing("snapshot"))?,
            },
            Type::Tokens => Self::Tokens {
                request: request?,
                leg: leg?,
                tokens: wire.tokens.ok_or(missing("tokens"))?,
                ids: wire.ids,
            },
            Type::Alive => Self::Alive { request: request?, leg: leg? },
            Type::Failed => Self::Failed {
                request: request?,
                leg: leg?,
                kind: wire.kind.ok_or(missing("kind"))?,
                retry_after_ms: wire.retry_after_ms,
            },
            Type::Finished => Self::Finished {
                request: request?,
                leg: leg?,
                prefill_tps: wire.prefill_tps,
                decode_tps: wire.decode_tps,
            },
            Type::LoadEnded => Self::LoadEnded { key: wire.key.ok_or(missing("key"))?, kind: wire.kind },
            Type::Cancelled => Self::Cancelled { request: request? },
            Type::Wake => Self::Wake,
            Type::Visibility => Self::Visibility { hidden: wire.hidden.ok_or(missing("hidden"))? },
            Type::Connectivity => Self::Connectivity { online: wire.online.ok_or(missing("online"))? },
            Type::CloudEnabled => Self::CloudEnabled { enabled: wire.enabled.ok_or(missing("enabled"))? },
            Type::Suspended => Self::Suspended { lost_ms: wire.lost_ms.ok_or(missing("lost_ms"))? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Mode;
    use crate::testing::{snapshot, spec};

    #[test]
    fn what_is_written_is_read() {
        let (request, leg) = (7, 2);
        for event in [
            RouteEvent::Begin { request, spec: spec(Mode::Auto), snapshot: snapshot() },
            RouteEvent::Tokens { request, leg, tokens: 3, ids: Some(true) },
            RouteEvent::Alive { request, leg },
            RouteEvent::Failed { request, leg, kind: FailureKind::Network, retry_after_ms: Some(1.5) },
            RouteEvent::Finished { request, leg, prefill_tps: None, decode_tps: Some(9.0) },
            RouteEvent::LoadEnded { key: "engine".to_owned(), kind: Some(FailureKind::OutOfMemory) },
            RouteEvent::LoadEnded { key: "engine".to_owned(), kind: None },
            RouteEvent::Cancelled { request },
            RouteEvent::Wake,
            RouteEvent::Visibility { hidden: true },
            RouteEvent::Connectivity { online: false },
            RouteEvent::CloudEnabled { enabled: false },
            RouteEvent::Suspended { lost_ms: 1.0 },
        ] {
            let json = serde_json::to_string(&event).expect("writes");
            assert_eq!(serde_json::from_str::<RouteEvent>(&json).expect("reads"), event, "{json}");
        }
    }

    #[test]
    fn what_lacks_or_is_unknown_is_named() {
        for (json, word) in [
            (r#"{"type": "tokens", "request": 1, "leg": 1}"#, "tokens"),
            (r#"{"type": "alive", "request": 1}"#, "leg"),
            (r#"{"type": "begin", "request": 1}"#, "spec"),
            (r#"{"type": "cancelled"}"#, "request"),
            (r#"{"type": "load_ended"}"#, "key"),
            (r#"{"type": "cancelled", "request": -1}"#, "-1"),
            (r#"{"type": "celebrate"}"#, "celebrate"),
            (r#"{"request": 1}"#, "type"),
            ("[]", "invalid"),
            ("", "EOF"),
        ] {
            let error = serde_json::from_str::<RouteEvent>(json).expect_err(json);
            assert!(error.to_string().contains(word), "{json}: {error}");
        }
    }
}
