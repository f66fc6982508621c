//! The counts in US dollars, by AWS's price list for Tokyo.

use serde_json::{Map, Value, json};

use crate::polling::POLL_SECONDS;
use crate::stats::rounded;

/// The numbers of log groups in the table.
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

/// Prices in USD, without taxes and free tiers. docs/cost.md has the same prices.
#[derive(Clone, Copy, Debug)]
pub struct Prices {
    pub per_1000_transitions: f64,
    pub per_million_requests: f64,
    pub per_gb_second: f64,
    pub per_1000_put_or_list: f64,
    pub per_gb_ingested: f64,
    pub per_gb_month: f64,
}

// Assumptions, which the benchmark does not measure.

/// Nearly all invocations are polls.
const INVOCATION_SECONDS: f64 = POLL_SECONDS;
/// The memory of check-export-task.
const FUNCTION_GB: f64 = 0.25;
/// The functions' logs.
const OWN_LOGS_GB_PER_GROUP: f64 = 0.000_15;
/// The logs of one log group in a month.
const INGESTED_GB_PER_GROUP: f64 = 1.0;
/// gzip's compression ratio in AWS's examples.
const COMPRESSED: f64 = 0.15;

impl Prices {
    pub const TOKYO: Self = Self {
        per_1000_transitions: 0.025,
        per_million_requests: 0.20,
        per_gb_second: 0.000_013_333_4,
        per_1000_put_or_list: 0.0047,
        per_gb_ingested: 0.76,
        per_gb_month: 0.025,
    };

    pub fn to_json(self) -> Value {
        json!({
            "per_1000_transitions": self.per_1000_transitions,
            "per_million_requests": self.per_million_requests,
            "per_gb_second": self.per_gb_second,
            "per_1000_put_or_list": self.per_1000_put_or_list,
            "per_gb_ingested": self.per_gb_ingested,
            "per_gb_month": self.per_gb_month,
            "assumed": {
                "invocation_seconds": INVOCATION_SECONDS, "function_gb": FUNCTION_GB, "own_logs_mb_per_group": OWN_LOGS_GB_PER_GROUP * 1000.0,
                "ingested_gb_per_group": INGESTED_GB_PER_GROUP, "compressed": COMPRESSED,
            },
        })
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub group_transitions: usize,
    pub group_invocations: usize,
    pub group_s3_requests: i64,
    pub round_transitions: usize,
    pub round_invocations: usize,
    pub round_size: usize,
    pub run_transitions: usize,
    pub run_invocations: usize,
}

/// The cost of a run by the number of log groups.
pub fn table(counts: &Counts, prices: &Prices) -> Value {
    Value::Object(SIZES.iter().map(|size| (size.to_string(), row(counts, prices, *size))).collect::<Map<_, _>>())
}

fn row(counts: &Counts, prices: &Prices, size: usize) -> Value {
    let rounds = size.div_ceil(counts.round_size);
    let transitions = size * counts.group_transitions + rounds * counts.round_transitions + counts.run_transitions;
    let invocations = size * counts.group_invocations + rounds * counts.round_invocations + counts.run_invocations;
    let groups = size as f64;
    let step_functions = transitions as f64 / 1000.0 * prices.per_1000_transitions;
    let per_invocation = prices.per_million_requests / 1e6 + INVOCATION_SECONDS * FUNCTION_GB * prices.per_gb_second;
    let lambda = invocations as f64 * per_invocation;
    let s3 = groups * counts.group_s3_requests as f64 / 1000.0 * prices.per_1000_put_or_list;
    let own_logs = groups * OWN_LOGS_GB_PER_GROUP * prices.per_gb_ingested;
    json!({
        "transitions": transitions,
        "invocations": invocations,
        "step_functions": rounded(step_functions),
        "lambda": rounded(lambda),
        "s3_requests": rounded(s3),
        "own_logs": rounded(own_logs),
        "total": rounded(step_functions + lambda + s3 + own_logs),
        // The cost of storing one month's exports for a month.
        "storage_of_a_month": rounded(groups * INGESTED_GB_PER_GROUP * COMPRESSED * prices.per_gb_month),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_run_includes_its_groups_its_rounds_and_the_run_itself() {
        let counts = Counts {
            group_transitions: 23,
            group_invocations: 20,
            group_s3_requests: 3,
            round_transitions: 3,
            round_invocations: 1,
            round_size: 500,
            run_transitions: 3,
            run_invocations: 2,
        };
        let table = table(&counts, &Prices::TOKYO);
        let thousand = &table["1000"];
        assert_eq!(thousand["transitions"], 23_009);
        assert_eq!(thousand["invocations"], 20_004);
        assert_eq!(thousand["step_functions"], 0.575);
        // 1,000 GB are 150 GB when compressed.
        assert_eq!(thousand["storage_of_a_month"], 3.75);
        // 20,004 requests at 0.20 USD per million, with 0.05 GB-seconds each.
        assert_eq!(thousand["lambda"], 0.0173);
        assert_eq!(thousand["own_logs"], 0.114);
        assert_eq!(thousand["s3_requests"], 0.0141);
        assert_eq!(thousand["total"], 0.721);
    }
}
