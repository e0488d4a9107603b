//! Recorded traces: read, replayed, and compared with what was ordered then.
//!
//! A trace is JSONL: the configuration first, then each event with its time and the orders that it led to. A replay under
//! other constants shows where requests would have gone; what happened afterwards remains what was recorded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{ConfigError, RouteConfig};
use crate::event::RouteEvent;
use crate::order::Order;
use crate::router::Router;

/// Times and speeds that differ by less (as a share, or absolutely near 0) are the same: JSON is written and read by
/// programs that round the last digit differently.
const SAME: f64 = 1e-9;

/// A recorded trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    config: RouteConfig,
    lines: Vec<Recorded>,
}

/// One line of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When it happened.
    pub now_ms: f64,
    /// What happened.
    pub event: RouteEvent,
    /// What was ordered.
    pub orders: Vec<Order>,
    /// Its line in the file, from 1.
    #[serde(skip)]
    pub line: usize,
}

/// One event of a replay.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// When it happened.
    pub now_ms: f64,
    /// What happened.
    pub event: RouteEvent,
    /// What the policy orders.
    pub orders: Vec<Order>,
    /// What it had ordered, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Vec<Order>>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// What is wrong with a trace or a changed constant.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// Nothing in it.
    #[error("the trace is empty: its first line must be {{\"config\": …}}")]
    Empty,
    /// The first line is something else.
    #[error("line {line} is not the configuration: the first line must be {{\"config\": …}}")]
    NoConfig {
        /// From 1.
        line: usize,
        /// What the parser says.
        #[source]
        cause: serde_json::Error,
    },
    /// A line is not an event with its orders.
    #[error("line {line} is not {{\"now_ms\": …, \"event\": …, \"orders\": …}}")]
    Line {
        /// From 1.
        line: usize,
        /// What the parser says.
        #[source]
        cause: serde_json::Error,
    },
    /// A setting without `=`, or with a value that is not a number.
    #[error("`{given}` is not a setting: write KEY=NUMBER")]
    Setting {
        /// As it came.
        given: String,
    },
    /// There is no such constant, or not with such a value.
    #[error("`{given}` does not fit the policy")]
    Constant {
        /// As it came.
        given: String,
        /// What the parser says.
        #[source]
        cause: serde_json::Error,
    },
    /// A constant is out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Trace {
    /// Reads a trace; empty lines are skipped.
    ///
    /// # Errors
    /// [`TraceError`] with the line that cannot be read.
    pub fn parse(text: &str) -> Result<Self, TraceError> {
        #[derive(Deserialize)]
        struct First {
            config: RouteConfig,
        }
        let mut lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        let (line, first) = lines.next().ok_or(TraceError::Empty)?;
        let First { config } = serde_json::from_str(first).map_err(|cause| TraceError::NoConfig { line, cause })?;
        let lines = lines
            .map(|(line, text)| {
                let recorded = serde_json::from_str(text).map_err(|cause| TraceError::Line { line, cause })?;
                Ok(Recorded { line, ..recorded })
            })
            .collect::<Result<_, TraceError>>()?;
        Ok(Self { config, lines })
    }

    /// The constants that the replay uses.
    pub fn config(&self) -> &RouteConfig {
        &self.config
    }

    /// Changes a constant, given as `key=value`.
    ///
    /// # Errors
    /// [`TraceError::Setting`] or [`TraceError::Constant`].
    pub fn set(&mut self, setting: &str) -> Result<(), TraceError> {
        let wrong = || TraceError::Setting { given: setting.to_owned() };
        let (key, value) = setting.split_once('=').ok_or_else(wrong)?;
        let value: Value = serde_json::from_str(value.trim()).ok().filter(Value::is_number).ok_or_else(wrong)?;
        let constant = |cause| TraceError::Constant { given: setting.to_owned(), cause };
        let mut config: Map<String, Value> =
            serde_json::to_value(self.config).and_then(serde_json::from_value).map_err(constant)?;
        config.insert(key.trim().to_owned(), value);
        self.config = serde_json::from_value(Value::Object(config)).map_err(constant)?;
        Ok(())
    }

    /// Tells a fresh policy everything that was recorded.
    ///
    /// # Errors
    /// [`TraceError::Config`] where a constant is out of range.
    pub fn replay(&self) -> Result<Vec<Step>, TraceError> {
        let mut router = Router::new(self.config)?;
        let step = |recorded: &Recorded| {
            let Recorded { now_ms, event, orders: then, line } = recorded.clone();
            let orders = router.push(now_ms, event.clone());
            let differs = !same(&orders, &then);
            Step { now_ms, event, orders, recorded: differs.then_some(then), line }
        };
        Ok(self.lines.iter().map(step).collect())
    }
}

/// Whether these are the same orders, the last digits aside.
fn same(orders: &[Order], others: &[Order]) -> bool {
    match (serde_json::to_value(orders), serde_json::to_value(others)) {
        (Ok(orders), Ok(others)) => same_value(&orders, &others),
        _ => false,
    }
}

fn same_value(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= SAME * one.abs().max(other.abs()).max(1.0),
            _ => one == other,
        },
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| same_value(one, other))
        }
        (Value::Object(ones), Value::Object(others)) => {
            ones.len() == others.len()
                && ones.iter().all(|(key, one)| others.get(key).is_some_and(|other| same_value(one, other)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::event::{FailureKind, Mode};
    use crate::testing::{snapshot, spec};

    /// A crash in mid-answer, recorded.
    pub(crate) fn recorded() -> String {
        let config = RouteConfig::default();
        let mut router = Router::new(config).expect("lawful");
        let mut text = serde_json::json!({ "config": config }).to_string();
        let (request, leg) = (1, 1);
        for (now_ms, event) in [
            (0.1, RouteEvent::Begin { request, spec: spec(Mode::Auto), snapshot: snapshot() }),
            (300.3, RouteEvent::Tokens { request, leg, tokens: 1, ids: None }),
            (350.7, RouteEvent::Failed { request, leg, kind: FailureKind::WorkerCrashed, retry_after_ms: None }),
            (900.1, RouteEvent::Finished { request, leg: 2, prefill_tps: None, decode_tps: Some(19.1) }),
        ] {
            let orders = router.push(now_ms, event.clone());
            text += "\n\n";
            text += &serde_json::to_string(&Recorded { now_ms, event, orders, line: 0 }).expect("writes");
        }
        text
    }

    #[test]
    fn a_replay_gives_the_recorded_orders() {
        let trace = Trace::parse(&recorded()).expect("readable");
        let steps = trace.replay().expect("lawful");
        assert_eq!(steps.iter().map(|step| step.line).collect::<Vec<_>>(), [3, 5, 7, 9]);
        assert!(steps.iter().all(|step| step.recorded.is_none()), "{steps:?}");
    }

    #[test]
    fn another_constant_gives_other_orders() {
        let mut trace = Trace::parse(&recorded()).expect("readable");
        trace.set("max_recoveries = 0").expect("a constant");
        let steps = trace.replay().expect("lawful");
        let differs: Vec<usize> = steps.iter().filter(|step| step.recorded.is_some()).map(|step| step.line).collect();
        assert_eq!(differs, [7], "the crash goes to the cloud");
    }

    #[test]
    fn a_trace_from_before_loads_were_ordered_is_read_and_shows_what_is_new() {
        let mut snapshot = snapshot();
        snapshot.local.load_ms = 10_000.0;
        let begin = RouteEvent::Begin { request: 1, spec: spec(Mode::Auto), snapshot };
        let mut router = Router::new(RouteConfig::default()).expect("lawful");
        let mut text = "{\"config\": {}}".to_owned();
        for event in [begin, RouteEvent::Finished { request: 1, leg: 1, prefill_tps: None, decode_tps: None }] {
            let mut orders = router.push(0.0, event.clone());
            orders.retain(|order| !matches!(order, Order::Load { .. }));
            text += "\n";
            text += &serde_json::to_string(&Recorded { now_ms: 0.0, event, orders, line: 0 }).expect("writes");
        }
        let steps = Trace::parse(&text).expect("readable").replay().expect("lawful");
        assert_eq!(steps.iter().map(|step| step.recorded.is_some()).collect::<Vec<_>>(), [true, false]);
        assert!(steps[0].orders.iter().any(|order| matches!(order, Order::Load { .. })), "{:?}", steps[0].orders);
    }

    #[test]
    fn a_trace_that_dropped_its_oldest_lines_is_read_from_where_it_begins() {
        let text = recorded();
        // As a page writes it: the head, and the latest lines; the configuration and the beginning of the request are gone.
        let latest: Vec<&str> = text.lines().filter(|line| !line.is_empty()).skip(2).collect();
        let kept = format!("{{\"config\": {{}}, \"dropped\": 1}}\n{}", latest.join("\n"));
        let steps = Trace::parse(&kept).expect("readable").replay().expect("lawful");
        assert_eq!(steps.len(), latest.len());
        // Events of a request whose beginning is gone lead to nothing.
        assert!(steps[0].orders.is_empty(), "{:?}", steps[0].orders);
    }

    #[test]
    fn last_digits_do_not_matter_but_others_do() {
        let wake = |at_ms| [Order::Wake { at_ms }];
        assert!(same(&wake(30_000.1), &wake(30_000.100_000_000_004)) && same(&wake(0.0), &wake(1e-12)));
        assert!(!same(&wake(30_000.1), &wake(30_000.2)) && !same(&wake(1.0), &[]));
        assert!(!same(&wake(1.0), &[Order::Done { request: 1 }]));
    }

    #[test]
    fn errors_name_the_line() {
        let said = |text: &str| Trace::parse(text).expect_err("unreadable").to_string();
        assert!(said("").contains("empty") && said("\n \n").contains("empty"));
        assert!(said("{}").starts_with("line 1 is not the configuration"));
        assert!(said("\n{\"config\": {\"stal_ms\": 1}}").starts_with("line 2 is not the configuration"));
        assert!(said("{\"config\": {}}\n\n{\"now_ms\": 1}").starts_with("line 3 is not"));
        let broken = format!("{}\n{{\"now_ms\": 1, \"event\": {{\"type\": \"party\"}}, \"orders\": []}}", recorded());
        assert!(said(&broken).starts_with("line 10 "), "{}", said(&broken));
    }

    #[test]
    fn settings_are_checked() {
        let mut trace = Trace::parse("{\"config\": {}}").expect("defaults");
        for wrong in ["stall_ms", "stall_ms=", "stall_ms=soon", "stall_ms=\"5\""] {
            assert!(matches!(trace.set(wrong), Err(TraceError::Setting { .. })), "{wrong}");
        }
        for wrong in ["stal_ms=5", "leave_count=-1", "leave_count=1.5"] {
            assert!(matches!(trace.set(wrong), Err(TraceError::Constant { .. })), "{wrong}");
        }
        trace.set("stall_ms=0").expect("a number");
        assert!(matches!(trace.replay(), Err(TraceError::Config(_))), "out of range");
    }
}
