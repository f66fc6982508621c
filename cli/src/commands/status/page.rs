//! The matrix as one self-contained HTML page. The page contains no URL, and its policy forbids all network requests.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    commands::status::matrix::{Cell, Matrix, State},
    stack::DeployedStack,
};

const PAGE: &str = include_str!("page.html");

pub fn page(matrix: &Matrix, stack: &DeployedStack, now: DateTime<Utc>) -> String {
    let cell = |cell: &Cell| json!([cell.state, cell.objects, cell.bytes, cell.is_missing, cell.windows]);
    let row = |(name, cells): (_, &std::collections::BTreeMap<_, Cell>)| -> Value {
        json!([name, matrix.months.iter().map(|month| cells.get(month).map(cell)).collect::<Vec<_>>()])
    };
    let data = json!({
        "stack": stack.name,
        "bucket": stack.settings.bucket,
        "region": stack.settings.region,
        "timezone": stack.settings.timezone.name(),
        "created": now.format("%Y-%m-%d %H:%M UTC").to_string(),
        "states": State::ALL.map(|state| json!([state, state.name(), state.letter()])),
        "months": matrix.months,
        "rows": matrix.rows.iter().map(row).collect::<Vec<_>>(),
    });
    // Without `<`, the data cannot end the script element.
    PAGE.replace("{{data}}", &data.to_string().replace('<', "\\u003c"))
}
