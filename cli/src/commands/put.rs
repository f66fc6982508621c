use crate::{Verdict, arguments::reading::Put, context::Context, failure::Failure};

pub async fn run(_context: &Context, _arguments: &Put) -> Result<Verdict, Failure> {
    todo!()
}
