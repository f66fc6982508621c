use crate::{Verdict, arguments::reading::Retention, context::Context, failure::Failure};

pub async fn run(_context: &Context, _arguments: &Retention) -> Result<Verdict, Failure> {
    todo!()
}
