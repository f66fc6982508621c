//! `groups`: shows and edits the log groups in the schedule's input.

mod edit;
mod list;

use crate::{
    ExitStatus,
    arguments::{EditGroups, GroupsAction},
    context::Context,
    failure::Failure,
};

pub async fn run(context: &Context, arguments: EditGroups) -> Result<ExitStatus, Failure> {
    match arguments.action {
        GroupsAction::List => list::run(context).await,
        GroupsAction::Add(added) => edit::add(context, &added.entries, arguments.yes).await,
        GroupsAction::Remove(removed) => edit::remove(context, &removed.entries, arguments.yes).await,
    }
}
