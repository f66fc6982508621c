//! `groups`: shows and edits the log groups in the schedule's input.

mod edit;
mod list;

use crate::{
    Verdict,
    arguments::{EditGroups, GroupsAction},
    context::Context,
    failure::Failure,
};

pub async fn run(context: &Context, arguments: EditGroups) -> Result<Verdict, Failure> {
    match arguments.action {
        GroupsAction::List => list::run(context).await,
        GroupsAction::Add(new) => edit::add(context, &new.entries, arguments.yes).await,
        GroupsAction::Remove(old) => edit::remove(context, &old.entries, arguments.yes).await,
    }
}
