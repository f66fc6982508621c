use crate::{Verdict, arguments::reading::Export, context::Context, failure::Failure};

pub async fn run(_context: &Context, _arguments: &Export) -> Result<Verdict, Failure> {
    todo!()
}
