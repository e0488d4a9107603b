//! Which of several plans is the fastest: a function of what they took, and of nothing else.

/// The least part of the time that must be gained for another plan than the one at hand.
const GAIN: f64 = 0.05;

/// What a plan took, several times.
#[derive(Debug, Clone)]
pub struct Trial<P> {
    pub plan: P,
    /// In ms; none if it failed.
    pub times_ms: Vec<f64>,
}

/// Median and spread (how far the median is above the fastest) of a trial's times.
struct Timing {
    median_ms: f64,
    noise_ms: f64,
}

impl<P> Trial<P> {
    fn timing(&self) -> Option<Timing> {
        let mut times_ms = self.times_ms.clone();
        if times_ms.is_empty() || times_ms.iter().any(|time_ms| !time_ms.is_finite() || *time_ms < 0.0) {
            return None;
        }
        times_ms.sort_by(f64::total_cmp);
        let median_ms = times_ms[times_ms.len() / 2];
        Some(Timing { median_ms, noise_ms: median_ms - times_ms[0] })
    }
}

/// The fastest of `trials`; the first of equals. It takes the place of `incumbent` only if it gains more than both trials'
/// noise, or if the incumbent failed.
pub fn choose<P: Copy + PartialEq>(incumbent: P, trials: &[Trial<P>]) -> P {
    let timed = trials.iter().filter_map(|trial| Some((trial.plan, trial.timing()?)));
    let (held, others): (Vec<_>, Vec<_>) = timed.partition(|(plan, _)| *plan == incumbent);
    let clearly_faster = |(_, timing): &&(P, Timing)| {
        held.first().is_none_or(|(_, held)| {
            let gain_ms = held.median_ms - timing.median_ms;
            gain_ms > (GAIN * held.median_ms).max(held.noise_ms + timing.noise_ms)
        })
    };
    let fastest = others.iter().filter(clearly_faster).min_by(|a, b| a.1.median_ms.total_cmp(&b.1.median_ms));
    fastest.map_or(incumbent, |&(plan, _)| plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(trials: &[(char, &[f64])]) -> char {
        let trials = trials.iter().map(|&(plan, times_ms)| Trial { plan, times_ms: times_ms.to_vec() });
        choose('a', &trials.collect::<Vec<_>>())
    }

    #[test]
    fn the_fastest_wins() {
        assert_eq!(choice(&[('a', &[3.0; 3]), ('b', &[2.0; 3]), ('c', &[1.0; 3])]), 'c');
        assert_eq!(choice(&[('b', &[2.0; 3]), ('a', &[3.0; 3])]), 'b', "whatever the order");
    }

    #[test]
    fn a_tie_keeps_what_is_there_or_else_comes_first() {
        assert_eq!(choice(&[('b', &[2.0; 3]), ('a', &[2.0; 3])]), 'a');
        assert_eq!(choice(&[('a', &[3.0; 3]), ('c', &[1.0; 3]), ('b', &[1.0; 3])]), 'c');
    }

    #[test]
    fn noise_is_no_gain() {
        assert_eq!(choice(&[('a', &[1.0; 3]), ('b', &[0.96; 3])]), 'a', "under 5 %");
        assert_eq!(choice(&[('a', &[0.5, 1.0, 1.1]), ('b', &[0.7, 0.7, 0.7])]), 'a', "the incumbent varies more");
        assert_eq!(choice(&[('a', &[1.0; 3]), ('b', &[0.4, 0.8, 0.9])]), 'a', "the other varies more");
        assert_eq!(choice(&[('a', &[1.0, 1.01, 9.0]), ('b', &[0.8, 0.81, 0.82])]), 'b', "one slow run says nothing");
    }

    #[test]
    fn what_failed_is_not_taken() {
        assert_eq!(choice(&[('a', &[1.0; 3]), ('b', &[])]), 'a');
        assert_eq!(choice(&[('a', &[1.0; 3]), ('b', &[0.1, f64::NAN, 0.1])]), 'a');
        assert_eq!(choice(&[('a', &[]), ('b', &[9.0; 3]), ('c', &[8.0; 3])]), 'c', "the incumbent failed");
        assert_eq!(choice(&[('b', &[9.0; 3])]), 'b', "or is missing");
        assert_eq!(choice(&[('a', &[]), ('b', &[])]), 'a', "all failed");
        assert_eq!(choice(&[]), 'a');
    }
}
