use crate::{Verdict, context::Context, failure::Failure};

pub async fn run(_context: &Context) -> Result<Verdict, Failure> {
    todo!()
}
