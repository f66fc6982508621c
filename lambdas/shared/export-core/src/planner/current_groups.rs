//! Where open windows of earlier runs belong today. An entry can have moved its log group to another place since.

use std::{cmp::Reverse, collections::HashMap};

use chrono_tz::Tz;

use super::Group;
use crate::{
    LogGroupName, Month, Window,
    contract::plan::Run,
    missing::{Memory, OpenWindow},
};

/// The log groups of the run's list, by name.
pub struct CurrentGroups<'a> {
    groups: &'a [Group],
    by_name: HashMap<&'a LogGroupName, Vec<usize>>,
    is_scheduled: bool,
}

impl<'a> CurrentGroups<'a> {
    pub fn new(run: &Run, groups: &'a [Group]) -> Self {
        let mut by_name: HashMap<&LogGroupName, Vec<usize>> = HashMap::new();
        for (index, group) in groups.iter().enumerate() {
            by_name.entry(&group.place.log_group).or_default().push(index);
        }
        Self { groups, by_name, is_scheduled: run.is_scheduled() }
    }

    /// The group that exports an open window today: the one with its place, or else, in a scheduled run, the first one of its log group.
    /// `None`: no entry matches it.
    pub fn of_open_window(&self, open: &OpenWindow) -> Option<(usize, &'a Group)> {
        let of_name = self.by_name.get(&open.place.log_group)?;
        let of_place = of_name.iter().find(|index| self.groups[**index].place == open.place);
        let index = *of_place.or_else(|| of_name.first().filter(|_| self.is_scheduled))?;
        Some((index, &self.groups[index]))
    }
}

/// The open windows outside a scheduled run's months, the newest first, split by the months of its time zone.
pub(super) fn older_windows(run: &Run, groups: &[Group], memory: &Memory) -> Vec<(usize, Month, Window)> {
    let (true, Ok(timezone)) = (run.is_scheduled(), run.timezone.parse::<Tz>()) else { return Vec::new() };
    let current = CurrentGroups::new(run, groups);
    let compared: Vec<Window> = run.months_to_compare.iter().filter(|month| !month.after_first_covered).map(|month| month.window).collect();
    let mut older: Vec<(usize, Month, Window)> = Vec::new();
    // Open windows of two time zones can overlap.
    let mut taken: HashMap<usize, Vec<Window>> = HashMap::new();
    for open in memory.open.iter() {
        let Some((group, _)) = current.of_open_window(open) else { continue };
        let taken = taken.entry(group).or_insert_with(|| compared.clone());
        let remaining = open.window().without(taken);
        taken.push(open.window());
        let parts = remaining.into_iter().flat_map(|window| Month::split_window(window, timezone));
        older.extend(parts.map(|(month, window)| (group, month, window)));
    }
    older.sort_unstable_by_key(|(group, month, window)| (Reverse(*month), *group, *window));
    older
}
