//! A finding as one sentence: the same in editors, terminals and reports.

use heaphint_analysis::limits::{Amount, Finding, FindingKind};
use heaphint_analysis::{Inexact, Interval, Units, format_size};

use crate::text::grouped;

/// What a finding says, with its full stop.
#[must_use]
pub fn finding_sentence(finding: &Finding<'_>, units: Units) -> String {
    let about = match finding.inexact {
        None => "",
        Some(Inexact::MaxIsLowerBound | Inexact::SumsOnly) => "at least ",
        Some(_) => "about ",
    };
    let interval = interval(finding).map_or_else(String::new, |Interval { low, high }| {
        let end = |value| match finding.measured {
            Amount::Bytes(_) => format_size(value, units),
            Amount::Allocations(_) => grouped(value),
        };
        format!(" (an estimate; 95 % interval {} to {})", end(low), end(high))
    });
    let measured = format!("{about}{}{interval}", amount_text(finding.measured, units));
    let subject = subject(finding);
    let what = match (finding.kind, finding.function) {
        (FindingKind::Peak, _) => format!("The program's memory peaked at {measured}"),
        (FindingKind::Rss, _) => format!("The program's resident memory (RSS) peaked at {measured}"),
        (FindingKind::Growth, _) if finding.file.is_none() => {
            format!("The program's memory peaked at {measured}")
        }
        (FindingKind::Leak, Some(function)) if finding.is_function => {
            format!("This line still held {measured} from `{function}` at the end")
        }
        (FindingKind::Leak, _) => format!("This line still held {measured} at the end"),
        (FindingKind::Allocations, _) => format!("{subject} made {measured}"),
        _ => format!("{subject} held up to {measured}"),
    };
    format!("{what}, {}.", excess(finding, units))
}

/// The limit of a finding as a sentence of its own, for the place where it is written.
#[must_use]
pub fn limit_sentence(finding: &Finding<'_>, units: Units) -> String {
    match finding.growth {
        Some((_, growth)) => format!("The limit: {} more than the accepted run.", growth.shown(units)),
        None => format!("The limit of {}.", amount_text(finding.limit, units)),
    }
}

/// The interval of what was measured, when that is an estimate.
#[must_use]
pub fn interval(finding: &Finding<'_>) -> Option<Interval> {
    let estimate = finding.inexact.and_then(Inexact::estimate)?;
    Some(match finding.measured {
        Amount::Bytes(bytes) => estimate.bytes(bytes),
        Amount::Allocations(count) => estimate.count(count),
    })
}

/// Who it was.
fn subject(finding: &Finding<'_>) -> String {
    match (&finding.module, finding.function) {
        (Some(module), _) => format!("`import {module}`"),
        (None, Some("<module>")) if finding.is_function => "The top-level code of this module".to_owned(),
        (None, Some(function)) if finding.is_function => format!("`{function}`"),
        (None, _) if finding.file.is_none() => "The program".to_owned(),
        (None, _) => "This line".to_owned(),
    }
}

/// By how much.
fn excess(finding: &Finding<'_>, units: Units) -> String {
    if let Some((accepted, growth)) = finding.growth {
        return format!(
            "more than the {} of the accepted run and the {} by which it may grow",
            format_size(accepted, units),
            growth.shown(units)
        );
    }
    let limit = amount_text(finding.limit, units);
    let each = if finding.kind == FindingKind::Leak { " for one line" } else { "" };
    // Two sizes that look the same would make a riddle.
    match (finding.measured, finding.limit) {
        (Amount::Bytes(measured), Amount::Bytes(most)) if amount_text(finding.measured, units) == limit => {
            let over = format_size(measured.saturating_sub(most), units);
            format!("{over} more than the limit of {limit}{each}")
        }
        _ => format!("more than the limit of {limit}{each}"),
    }
}

/// An amount as people read it: `40.0 MiB`, `1,234 allocations`.
pub fn amount_text(amount: Amount, units: Units) -> String {
    match amount {
        Amount::Bytes(bytes) => format_size(bytes, units),
        Amount::Allocations(1) => "1 allocation".to_owned(),
        Amount::Allocations(count) => format!("{} allocations", grouped(count)),
    }
}
