//! The prompts, and the tokens that the independent f32 reference says to them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::measurement::Measurement;
use crate::workspace::Workspace;

/// A prompt, as ids for runtimes that take them and as text for the others.
#[derive(Debug, Clone, Serialize)]
pub struct Prompt {
    /// `raw`, `p64` or `p512`.
    pub name: String,
    /// Its token ids, template included.
    pub ids: Vec<u32>,
    /// The same as text.
    pub text: String,
    /// What the reference answers; nothing for weights that it never saw.
    #[serde(skip)]
    pub greedy: Option<Greedy>,
}

/// The reference's most probable tokens.
#[derive(Debug, Clone, Deserialize)]
pub struct Greedy {
    ids: Vec<u32>,
    text: String,
    /// Logit of the first token minus that of the second, at each step.
    margins: Vec<f64>,
}

/// How far an answer is the reference's.
#[derive(Debug, Clone, Serialize)]
pub struct Agreement {
    /// Tokens that were compared; characters where only text came back.
    pub compared: usize,
    /// How many of them are equal before the first difference.
    pub equal: usize,
    /// The reference's margin where they part: a small one may fall either way.
    pub margin: Option<f64>,
    /// Whether text was compared instead of ids.
    pub as_text: bool,
}

impl Agreement {
    /// Of `measured` with the reference, if there is one.
    pub fn of(measured: &Measurement, prompt: &Prompt) -> Option<Self> {
        let greedy = prompt.greedy.as_ref()?;
        let equal = |pairs: &mut dyn Iterator<Item = bool>| pairs.take_while(|same| *same).count();
        if let Some(ids) = &measured.ids {
            let equal = equal(&mut ids.iter().zip(&greedy.ids).map(|(a, b)| a == b));
            let compared = ids.len().min(greedy.ids.len());
            let margin = if equal < compared { greedy.margins.get(equal).copied() } else { None };
            return Some(Self { compared, equal, margin, as_text: false });
        }
        let text = measured.text.as_ref()?;
        let equal = equal(&mut text.chars().zip(greedy.text.chars()).map(|(a, b)| a == b));
        let compared = text.chars().count().min(greedy.text.chars().count());
        Some(Self { compared, equal, margin: None, as_text: true })
    }

    /// Whether nothing differs.
    pub fn is_whole(&self) -> bool {
        self.equal == self.compared
    }

    /// For a table: `64/64`, `15/64 (margin 1.40)`, `text equal`.
    pub fn text(&self) -> String {
        match (self.as_text, self.margin) {
            (true, _) if self.is_whole() => "text equal".to_owned(),
            (true, _) => format!("text, {}/{} characters", self.equal, self.compared),
            (false, Some(margin)) => format!("{}/{} (margin {margin:.2})", self.equal, self.compared),
            (false, None) => format!("{}/{}", self.equal, self.compared),
        }
    }
}

/// Reads the prompts of the golden tests and the long one of the bench.
pub fn prompts(workspace: &Workspace) -> Result<Vec<Prompt>> {
    let short: File = read(&workspace.path("tests/golden/prompts.json"))?;
    let short_answers: Answers = read(&workspace.path("tests/golden/reference.json"))?;
    let long: File = read(&workspace.path("tests/bench/prompts.json"))?;
    let answers = short_answers.numpy_f32_dequantised.into_iter().chain(long.reference);
    let mut answers: BTreeMap<String, Answer> = answers.collect();
    let mut prompts: Vec<Prompt> = short
        .prompts
        .into_iter()
        .chain(long.prompts)
        .map(|(name, Source { ids, text })| {
            let greedy = answers.remove(&name).map(|answer| answer.greedy);
            Prompt { name, ids, text, greedy }
        })
        .collect();
    prompts.sort_by_key(|prompt| prompt.ids.len());
    Ok(prompts)
}

/// The prompt before the measurement: it shares no beginning with any other, so that no cache can serve them.
pub fn warm_up(prompts: &[Prompt]) -> Result<Prompt> {
    let raw = prompts.iter().find(|prompt| prompt.name == "raw").context("there is no prompt `raw`")?;
    let (first, text) = raw.text.split_once(' ').context("the prompt `raw` has one word")?;
    debug_assert!(!first.is_empty());
    let ids = raw.ids.iter().skip(1).copied().collect();
    Ok(Prompt { name: "warm-up".to_owned(), ids, text: format!(" {text}"), greedy: None })
}

#[derive(Deserialize)]
struct File {
    prompts: BTreeMap<String, Source>,
    #[serde(default)]
    reference: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Source {
    ids: Vec<u32>,
    text: String,
}

#[derive(Deserialize)]
struct Answers {
    numpy_f32_dequantised: BTreeMap<String, Answer>,
}

#[derive(Deserialize)]
struct Answer {
    greedy: Greedy,
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what the bench expects", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::measurement::tests::sample;

    fn prompt() -> Prompt {
        let greedy = Greedy { ids: (0..20).collect(), text: "The old lighthouse".to_owned(), margins: vec![0.5; 20] };
        Prompt { name: "p".to_owned(), ids: vec![1; 100], text: String::new(), greedy: Some(greedy) }
    }

    #[test]
    fn ids_are_compared_up_to_the_first_difference() {
        let mut measured = sample("p", 1.0, 1.0);
        assert_eq!(Agreement::of(&measured, &prompt()).expect("a reference").text(), "11/11");
        measured.ids.as_mut().expect("ids")[4] = 99;
        let agreement = Agreement::of(&measured, &prompt()).expect("a reference");
        assert_eq!(agreement.text(), "4/11 (margin 0.50)");
        assert!(!agreement.is_whole());
    }

    #[test]
    fn without_ids_the_text_is_compared() {
        let of = |text: &str| {
            let measured = Measurement { ids: None, text: Some(text.to_owned()), ..sample("p", 1.0, 1.0) };
            Agreement::of(&measured, &prompt()).expect("a reference").text()
        };
        assert_eq!(of("The old"), "text equal");
        assert_eq!(of("The new"), "text, 4/7 characters");
    }

    #[test]
    fn without_a_reference_there_is_no_agreement() {
        let unknown = Prompt { greedy: None, ..prompt() };
        assert!(Agreement::of(&sample("p", 1.0, 1.0), &unknown).is_none());
    }
}
