//! What the page knows of parts of a recording: `assets/interval.js` adds it up for the part that somebody chooses.

use std::collections::BTreeMap;

use heaphint_analysis::records::{Amount, History};
use serde::Serialize;

use super::columns::Columns;

/// Rows of the columns.
#[derive(Debug, Default, Serialize)]
pub struct HistoryCounts {
    ticks: usize,
    changes: usize,
    lifetimes: usize,
}

/// Writes a history, whose sites are those of the first process; `row_of` has the row of each site. What belongs to
/// one row is added up.
pub fn write(columns: &mut Columns, history: &History, row_of: &[u32]) -> HistoryCounts {
    let row = |site: u32| row_of.get(site as usize).copied();
    let mut of_site: BTreeMap<u32, Amount> = BTreeMap::new();
    let mut of_row: BTreeMap<u32, Amount> = BTreeMap::new();
    // Tick, row and what the row had live at the tick's peak, where that is not what it had before.
    let mut changes: Vec<(u32, u32, Amount)> = Vec::new();
    for tick in history.changes.chunk_by(|one, next| one.tick == next.tick) {
        let mut changed = BTreeMap::new();
        for change in tick {
            let Some(row) = row(change.site) else { continue };
            let before = of_site.insert(change.site, change.live).unwrap_or_default();
            let sum = of_row.entry(row).or_default();
            sum.bytes = sum.bytes.saturating_sub(before.bytes).saturating_add(change.live.bytes);
            sum.count = sum.count.saturating_sub(before.count).saturating_add(change.live.count);
            changed.insert(row, *sum);
        }
        changes.extend(changed.into_iter().map(|(row, live)| (tick[0].tick, row, live)));
    }
    // Row, tick of the allocation, and tick of the free plus one, or 0 for what was never freed.
    let mut lifetimes: BTreeMap<(u32, u32, u32), Amount> = BTreeMap::new();
    for lifetime in &history.lifetimes {
        let Some(row) = row(lifetime.site) else { continue };
        let freed = lifetime.freed.map_or(0, |tick| tick + 1);
        let sum = lifetimes.entry((row, lifetime.allocated, freed)).or_default();
        sum.bytes = sum.bytes.saturating_add(lifetime.amount.bytes);
        sum.count = sum.count.saturating_add(lifetime.amount.count);
    }
    columns.add_rising(history.ticks.iter().map(|tick| tick.end_ms));
    columns.add(history.ticks.iter().map(|tick| tick.peak_bytes));
    columns.add_rising(changes.iter().map(|(tick, ..)| *tick));
    columns.add(changes.iter().map(|(_, row, _)| u64::from(*row)));
    columns.add(changes.iter().map(|(.., live)| live.bytes));
    columns.add(changes.iter().map(|(.., live)| live.count));
    columns.add_rising(lifetimes.keys().map(|(row, ..)| *row));
    columns.add(lifetimes.keys().map(|(_, allocated, _)| u64::from(*allocated)));
    columns.add(lifetimes.keys().map(|(.., freed)| u64::from(*freed)));
    columns.add(lifetimes.values().map(|amount| amount.bytes));
    columns.add(lifetimes.values().map(|amount| amount.count));
    HistoryCounts { ticks: history.ticks.len(), changes: changes.len(), lifetimes: lifetimes.len() }
}
