use crate::{Verdict, arguments::reading::Fetch, context::Context, failure::Failure};

pub async fn run(_context: &Context, _arguments: &Fetch) -> Result<Verdict, Failure> {
    todo!()
}
