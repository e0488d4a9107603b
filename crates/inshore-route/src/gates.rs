//! Step 1: the gates. They fail closed, a deny beats everything else, and they are asked again before every leg.

use crate::event::{Availability, CloudSnapshot, LocalSnapshot, Mode, Privacy, RequestSpec};
use crate::reason::Reason;

/// Whether a side may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// It may.
    Open,
    /// Not now: a breaker is open, or the endpoint asked for a pause.
    Blocked(Reason),
    /// A gate is shut.
    Denied(Reason),
}

/// What the gates know beside the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switches {
    pub(crate) cloud_enabled: bool,
    pub(crate) online: bool,
}

/// Why nothing of the request may leave the device. `answer_tokens`: what is already there, for it would be sent along;
/// `spent_tokens`: what this request has used of the budget.
pub(crate) fn cloud_denied(
    spec: &RequestSpec,
    cloud: Option<&CloudSnapshot>,
    switches: Switches,
    answer_tokens: f64,
    spent_tokens: f64,
) -> Option<Reason> {
    if spec.privacy == Privacy::LocalOnly {
        return Some(Reason::Private);
    }
    if spec.mode == Mode::OnlyOnDevice {
        return Some(Reason::ModeOnDevice);
    }
    if !switches.cloud_enabled {
        return Some(Reason::CloudDisabled);
    }
    // An "endpoint" that claims to be the device is a mistake, and mistakes stay here.
    if cloud.is_none_or(|cloud| cloud.source.is_device()) {
        return Some(Reason::NoEndpoint);
    }
    if !switches.online {
        return Some(Reason::Offline);
    }
    let needed = spec.prompt_tokens + answer_tokens + 1.0;
    // Written so that a number which is none denies.
    let fits = spec.cloud_tokens_left.is_none_or(|left| needed <= left - spent_tokens);
    (!fits).then_some(Reason::BudgetSpent)
}

/// Why the local engine cannot answer, or go on after `answer_tokens`.
pub(crate) fn device_denied(spec: &RequestSpec, local: &LocalSnapshot, answer_tokens: f64) -> Option<Reason> {
    if spec.mode == Mode::OnlyInCloud {
        return Some(Reason::ModeInCloud);
    }
    match local.availability {
        Availability::Unavailable => return Some(Reason::UnsupportedDevice),
        Availability::Downloadable | Availability::Downloading => return Some(Reason::NotDownloaded),
        Availability::Available => {}
    }
    if !spec.local_lacks.is_empty() {
        return Some(Reason::UnsupportedFeature);
    }
    // One token must fit. `max_tokens` does not count: most callers ask for far more than they get, and an answer that
    // does end at the context's end says so by its `finish_reason`.
    let fits = local.context_tokens.is_none_or(|context| spec.prompt_tokens + answer_tokens < context);
    if !fits {
        return Some(Reason::ContextTooLong);
    }
    (local.memory_fits == Some(false)).then_some(Reason::MemoryTooSmall)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Source;
    use crate::testing::{cloud, local, spec};

    const ON: Switches = Switches { cloud_enabled: true, online: true };

    fn denied(spec: &RequestSpec) -> Option<Reason> {
        cloud_denied(spec, Some(&cloud()), ON, 0.0, 0.0)
    }

    #[test]
    fn every_gate_to_the_cloud_denies_alone() {
        assert_eq!(denied(&spec(Mode::Auto)), None);
        assert_eq!(
            denied(&RequestSpec { privacy: Privacy::LocalOnly, ..spec(Mode::OnlyInCloud) }),
            Some(Reason::Private)
        );
        assert_eq!(denied(&spec(Mode::OnlyOnDevice)), Some(Reason::ModeOnDevice));
        let auto = spec(Mode::Auto);
        let off = Switches { cloud_enabled: false, online: true };
        assert_eq!(cloud_denied(&auto, Some(&cloud()), off, 0.0, 0.0), Some(Reason::CloudDisabled));
        let offline = Switches { cloud_enabled: true, online: false };
        assert_eq!(cloud_denied(&auto, Some(&cloud()), offline, 0.0, 0.0), Some(Reason::Offline));
        assert_eq!(cloud_denied(&auto, None, ON, 0.0, 0.0), Some(Reason::NoEndpoint));
        let impostor = CloudSnapshot { source: Source::OnDevice, ..cloud() };
        assert_eq!(cloud_denied(&auto, Some(&impostor), ON, 0.0, 0.0), Some(Reason::NoEndpoint));
    }

    #[test]
    fn the_budget_counts_prompt_answer_and_what_is_spent() {
        let with = |left: f64| RequestSpec { cloud_tokens_left: Some(left), prompt_tokens: 100.0, ..spec(Mode::Auto) };
        assert_eq!(denied(&with(101.0)), None);
        for left in [100.0, 0.0, -5.0, f64::NAN] {
            assert_eq!(denied(&with(left)), Some(Reason::BudgetSpent), "{left}");
        }
        assert_eq!(cloud_denied(&with(151.0), Some(&cloud()), ON, 50.0, 0.0), None);
        assert_eq!(cloud_denied(&with(151.0), Some(&cloud()), ON, 50.0, 1.0), Some(Reason::BudgetSpent));
    }

    #[test]
    fn every_gate_to_the_device_denies_alone() {
        let auto = spec(Mode::Auto);
        assert_eq!(device_denied(&auto, &local(), 0.0), None);
        assert_eq!(device_denied(&spec(Mode::OnlyInCloud), &local(), 0.0), Some(Reason::ModeInCloud));
        for (availability, reason) in [
            (Availability::Unavailable, Reason::UnsupportedDevice),
            (Availability::Downloadable, Reason::NotDownloaded),
            (Availability::Downloading, Reason::NotDownloaded),
        ] {
            assert_eq!(device_denied(&auto, &LocalSnapshot { availability, ..local() }, 0.0), Some(reason));
        }
        let lacking = RequestSpec { local_lacks: vec!["tools".to_owned()], ..auto.clone() };
        assert_eq!(device_denied(&lacking, &local(), 0.0), Some(Reason::UnsupportedFeature));
        let tight = LocalSnapshot { context_tokens: Some(auto.prompt_tokens + 10.0), ..local() };
        assert_eq!(device_denied(&auto, &tight, 9.0), None);
        assert_eq!(device_denied(&auto, &tight, 10.0), Some(Reason::ContextTooLong));
        let heavy = LocalSnapshot { memory_fits: Some(false), ..local() };
        assert_eq!(device_denied(&auto, &heavy, 0.0), Some(Reason::MemoryTooSmall));
        let unknown = LocalSnapshot { memory_fits: None, context_tokens: None, ..local() };
        assert_eq!(device_denied(&auto, &unknown, 0.0), None);
    }
}
