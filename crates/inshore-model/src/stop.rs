//! Stop texts in a stream: text is held back while it may be the beginning of one.

/// Watches a stream of text for stop texts.
#[derive(Debug, Clone, Default)]
pub struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

/// What came out of a push.
#[derive(Debug, PartialEq, Eq)]
pub struct Released {
    /// Text that is surely part of the answer.
    pub text: String,
    /// Whether a stop text was found: the answer ends with `text`.
    pub stopped: bool,
}

impl StopMatcher {
    /// Watches for `stops`; empty ones are ignored.
    pub fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Takes the next piece and releases what cannot belong to a stop text.
    pub fn push(&mut self, piece: &str) -> Released {
        self.held.push_str(piece);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return Released { text: std::mem::take(&mut self.held), stopped: true };
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        Released { text: std::mem::replace(&mut self.held, rest), stopped: false }
    }

    /// The end of the stream: what was held back belongs to the answer after all.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes at the end of `text` that are a proper beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    (1..stop.len()).rev().find(|&len| stop.is_char_boundary(len) && text.ends_with(&stop[..len])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, bool) {
        let mut matcher = StopMatcher::new(&stops.iter().map(ToString::to_string).collect::<Vec<_>>());
        let mut text = String::new();
        for piece in pieces {
            let released = matcher.push(piece);
            text.push_str(&released.text);
            if released.stopped {
                return (text, true);
            }
        }
        text.push_str(&matcher.finish());
        (text, false)
    }

    #[test]
    fn a_stop_text_across_pieces_ends_the_answer() {
        assert_eq!(run(&["END"], &["some E", "N", "D more"]), ("some ".into(), true));
        assert_eq!(run(&["END"], &["some E", "N", "O"]), ("some ENO".into(), false));
    }

    #[test]
    fn the_earliest_of_several_stop_texts_wins() {
        assert_eq!(run(&["cd", "b"], &["abcd"]), ("a".into(), true));
    }

    #[test]
    fn empty_stop_texts_are_ignored() {
        assert_eq!(run(&[""], &["abc"]), ("abc".into(), false));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(text in "[abé]{0,24}", stop in "[abé]{1,3}", cuts in prop::collection::vec(0usize..25, 0..6)) {
            let chars: Vec<char> = text.chars().collect();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(chars.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([chars.len()]) {
                pieces.push(chars[from..cut].iter().collect::<String>());
                from = cut;
            }
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let (got, stopped) = run(&[&stop], &pieces);
            match text.find(&stop) {
                Some(at) => prop_assert_eq!((got.as_str(), stopped), (&text[..at], true)),
                None => prop_assert_eq!((got, stopped), (text, false)),
            }
        }
    }
}
