//! The median, and rounding.

use serde_json::{Value, json};

/// NaN if there are no values.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// Rounds to three significant digits, because no figure is more accurate.
pub fn rounded(value: f64) -> Value {
    if value == 0.0 || !value.is_finite() {
        return json!(value);
    }
    let unit = 10_f64.powf(2.0 - value.abs().log10().floor());
    let rounded = (value * unit).round() / unit;
    if rounded.fract() == 0.0 { json!(rounded as i64) } else { json!(rounded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_remain() {
        let rounded = [0.012_345, 1.234_5, 123.45, 12_345.6].map(rounded);
        assert_eq!(rounded, [json!(0.0123), json!(1.23), json!(123), json!(12_300)]);
    }
}
