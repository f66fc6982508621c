//! The time zones that the input's schema allows: those of the code.

use anyhow::Result;

pub fn replace_time_zones(schema: &str) -> Result<String> {
    let mut names: Vec<String> = chrono_tz::TZ_VARIANTS.iter().map(|timezone| format!("{:?}", timezone.name())).collect();
    names.sort_unstable();
    crate::replace_between(schema, "\"enum\": [", "]", &names.join(", "))
}
