//! Where the open windows of earlier runs belong today.

use std::{cmp::Reverse, collections::HashMap};

use chrono_tz::Tz;

use super::Group;
use crate::{
    LogGroupName, Month, Window,
    contract::plan::Run,
    missing::{Memory, OpenWindow},
};

/// Where log groups land today, for open windows of earlier runs.
pub struct Homes<'a> {
    groups: &'a [Group],
    by_name: HashMap<&'a LogGroupName, Vec<usize>>,
    is_scheduled: bool,
}

impl<'a> Homes<'a> {
    pub fn of(run: &Run, groups: &'a [Group]) -> Self {
        let mut by_name: HashMap<&LogGroupName, Vec<usize>> = HashMap::new();
        for (index, group) in groups.iter().enumerate() {
            by_name.entry(&group.place.log_group).or_default().push(index);
        }
        Self { groups, by_name, is_scheduled: run.is_scheduled() }
    }

    /// Its own place; in a scheduled run, the log group's first one where an entry gave it another. `None`: no entry asks for it.
    pub fn of_open(&self, open: &OpenWindow) -> Option<(usize, &'a Group)> {
        let own = self.by_name.get(&open.log_group)?;
        let same = own.iter().find(|index| open.lies_in(&self.groups[**index].place));
        let index = *same.or_else(|| own.first().filter(|_| self.is_scheduled))?;
        Some((index, &self.groups[index]))
    }
}

/// The open windows that a scheduled run looks at beside its months, the newest first, cut at the months of its time zone.
pub(super) fn older(run: &Run, groups: &[Group], memory: &Memory) -> Vec<(usize, Month, Window)> {
    let (true, Ok(timezone)) = (run.is_scheduled(), run.timezone.parse::<Tz>()) else { return Vec::new() };
    let homes = Homes::of(run, groups);
    let looked: Vec<Window> = run.looks.iter().filter(|look| !look.after_first_covered).map(|look| look.window).collect();
    let mut older: Vec<(usize, Month, Window)> = Vec::new();
    // Open windows of two time zones can overlap.
    let mut taken: HashMap<usize, Vec<Window>> = HashMap::new();
    for open in memory.open.iter() {
        let Some((group, _)) = homes.of_open(open) else { continue };
        let held = taken.entry(group).or_insert_with(|| looked.clone());
        let left = open.window().without(held);
        held.push(open.window());
        older.extend(left.into_iter().flat_map(|window| Month::parts_of(window, timezone)).map(|(month, window)| (group, month, window)));
    }
    older.sort_unstable_by_key(|(group, month, window)| (Reverse(*month), *group, *window));
    older
}
