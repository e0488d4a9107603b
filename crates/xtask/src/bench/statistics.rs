//! Medians, best values and ratios of repeated measurements.

use serde::Serialize;

/// A quantity measured in several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// The middle value; of an even number, the mean of the middle two.
    pub median: f64,
    /// The largest.
    pub max: f64,
    /// The smallest.
    pub min: f64,
    /// How many rounds.
    pub rounds: usize,
}

impl Summary {
    /// Of `values`; nothing if there is none. What is not a number is left out.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { median, max, min, rounds: sorted.len() })
    }

    /// Largest minus smallest, as a share of the median: how far the rounds scatter.
    pub fn spread(&self) -> f64 {
        if self.median == 0.0 { 0.0 } else { (self.max - self.min) / self.median }
    }
}

/// The ratio of two series, round by round, so that what slowed a whole round down cancels out. Rounds in which either is
/// missing are left out.
pub fn ratio(ours: &[Option<f64>], theirs: &[Option<f64>]) -> Option<Summary> {
    Summary::of(ours.iter().zip(theirs).filter_map(|(a, b)| Some(a.as_ref()? / b.as_ref()?)))
}

/// The largest of several series in each round.
pub fn best_of(series: &[Vec<Option<f64>>]) -> Vec<Option<f64>> {
    let rounds = series.iter().map(Vec::len).max().unwrap_or(0);
    (0..rounds)
        .map(|round| series.iter().filter_map(|values| values.get(round).copied().flatten()).reduce(f64::max))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let odd = Summary::of([3.0, 1.0, 2.0]).expect("values");
        assert_eq!((odd.median, odd.min, odd.max, odd.rounds), (2.0, 1.0, 3.0, 3));
        assert_eq!(Summary::of([4.0, 1.0, 2.0, 3.0]).expect("values").median, 2.5);
        assert_eq!(Summary::of([f64::NAN, 5.0]).expect("values").rounds, 1);
        assert_eq!(Summary::of([]), None);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert!((Summary::of([8.0, 10.0, 12.0]).expect("values").spread() - 0.4).abs() < 1e-12);
        assert_eq!(Summary::of([0.0]).expect("values").spread(), 0.0);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // Everything was half as fast in the second round; the ratio does not see that.
        let ours = [Some(20.0), Some(10.0), None];
        let theirs = [Some(10.0), Some(5.0), Some(7.0)];
        let found = ratio(&ours, &theirs).expect("two rounds");
        assert_eq!((found.median, found.spread(), found.rounds), (2.0, 0.0, 2));
        assert_eq!(ratio(&[], &theirs), None);
    }

    #[test]
    fn the_best_is_found_in_each_round() {
        let series = [vec![Some(1.0), None, None], vec![Some(2.0), Some(1.0)]];
        assert_eq!(best_of(&series), [Some(2.0), Some(1.0), None]);
    }
}
