//! Bars: the limits for the figures. The table marks each missed bar. The benchmark fails only if a bar is missed by far.

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
    /// By more than the factor [`FAR`].
    MissedByFar,
}

/// Other load on the machine does not change a figure this much.
const FAR: f64 = 1.5;

impl Bar {
    /// NaN misses every bar by far.
    pub fn judge(self, value: f64) -> Verdict {
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

/// A figure compared with its bar.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The figure's path in the results.
    pub path: String,
    /// NaN if the results do not have the figure.
    pub value: f64,
    pub bar: Bar,
    pub verdict: Verdict,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}, not {}", self.path, self.value, self.bar.text())
    }
}

/// The figure at a path such as `scale.n100.seconds`.
pub fn figure<'a>(results: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(results, |value, key| value.get(key))
}

/// Whether the results have the part that the path begins with.
pub fn is_measured(results: &Value, path: &str) -> bool {
    path.split_once('.').is_some_and(|(part, _)| results.get(part).is_some())
}

/// Compares the figures of the measured parts with their bars. A figure that a measured part lacks misses its bar by far.
pub fn judge(results: &Value, bars: &[(String, Bar)]) -> Vec<Judgement> {
    let judgement = |(path, bar): &(String, Bar)| {
        let value = figure(results, path).and_then(Value::as_f64).unwrap_or(f64::NAN);
        Judgement { path: path.clone(), value, bar: *bar, verdict: bar.judge(value) }
    };
    bars.iter().filter(|(path, _)| is_measured(results, path)).map(judgement).collect()
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
    fn only_measured_parts_are_judged_and_an_absent_figure_misses_its_bar() {
        let bars = ["a.b", "a.c", "a.d", "e.f"].map(|path| (path.to_owned(), Bar::AtMost(1.0)));
        let judgements = judge(&json!({"a": {"b": 1, "d": null}}), &bars);
        let verdicts: Vec<_> = judgements.iter().map(|judgement| (judgement.path.as_str(), judgement.verdict)).collect();
        assert_eq!(verdicts, [("a.b", Verdict::Held), ("a.c", Verdict::MissedByFar), ("a.d", Verdict::MissedByFar)]);
    }
}
