//! What each figure is meant to reach. A bar that is missed is told; the benchmark fails only where one is missed by far.

use std::fmt;

use serde_json::Value;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    Held,
    Missed,
    /// By a factor of more than 1.5: no noise of a busy machine, but another program.
    MissedByFar,
}

impl Bar {
    pub fn judge(self, value: f64) -> Verdict {
        const FAR: f64 = 1.5;
        // Above one where the bar is missed. What is not a number has missed it, by far.
        let (is_held, ratio) = match self {
            Self::AtLeast(bar) => (value >= bar, bar / value),
            Self::AtMost(bar) => (value <= bar, value / bar),
        };
        if is_held {
            Verdict::Held
        } else if ratio <= FAR {
            Verdict::Missed
        } else {
            Verdict::MissedByFar
        }
    }

    pub fn text(self) -> String {
        match self {
            Self::AtLeast(bar) => format!(">= {bar}"),
            Self::AtMost(bar) => format!("<= {bar}"),
        }
    }
}

/// A figure with a bar, by its path in the results.
#[derive(Clone, Debug)]
pub struct Judged {
    pub path: String,
    /// NaN where it is missing.
    pub value: f64,
    pub bar: Bar,
    pub verdict: Verdict,
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, not {}", self.path, self.value, self.bar.text())
    }
}

/// The figure at a path such as `scale.n100.seconds`.
pub fn figure<'a>(results: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(results, |value, key| value.get(key))
}

/// Whether the part was measured that the path begins with.
pub fn is_of_a_measured_part(results: &Value, path: &str) -> bool {
    path.split_once('.').is_some_and(|(part, _)| results.get(part).is_some())
}

/// Judges what `bars` name in the results. A part that was not measured is left out; a figure that is missing from one that was has missed
/// its bar by far, for nobody knows what it would be.
pub fn judge(results: &Value, bars: &[(String, Bar)]) -> Vec<Judged> {
    let judged = |(path, bar): &(String, Bar)| {
        let value = figure(results, path).and_then(Value::as_f64).unwrap_or(f64::NAN);
        Judged { path: path.clone(), value, bar: *bar, verdict: bar.judge(value) }
    };
    bars.iter().filter(|(path, _)| is_of_a_measured_part(results, path)).map(judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bar_is_held_missed_or_missed_by_far() {
        let judge = |bar: Bar, values: [f64; 3]| values.map(|value| bar.judge(value));
        assert_eq!(judge(Bar::AtLeast(15.0), [15.0, 10.0, 9.9]), [Verdict::Held, Verdict::Missed, Verdict::MissedByFar]);
        assert_eq!(judge(Bar::AtMost(3.0), [3.0, 4.5, 4.6]), [Verdict::Held, Verdict::Missed, Verdict::MissedByFar]);
        assert_eq!(judge(Bar::AtMost(0.0), [-1.0, 0.0, 1.0]), [Verdict::Held, Verdict::Held, Verdict::MissedByFar]);
        assert_eq!(Bar::AtLeast(1.0).judge(f64::NAN), Verdict::MissedByFar);
    }

    #[test]
    fn a_part_that_was_not_measured_is_not_judged_and_a_figure_that_is_missing_fails() {
        let bars = ["a.b", "a.c", "a.d", "e.f"].map(|path| (path.to_owned(), Bar::AtMost(1.0)));
        let judged = judge(&json!({"a": {"b": 1, "d": null}}), &bars);
        let verdicts: Vec<_> = judged.iter().map(|judged| (judged.path.as_str(), judged.verdict)).collect();
        assert_eq!(verdicts, [("a.b", Verdict::Held), ("a.c", Verdict::MissedByFar), ("a.d", Verdict::MissedByFar)]);
        assert_eq!(judged[1].to_string(), "a.c is NaN, not <= 1");
    }
}
