//! Lines and functions for the page, with figures that cannot be had by adding up stacks: their own maxima.
//!
//! In a page of two runs each has the figures of both, and tells where it was in the earlier one.

use std::cmp::Reverse;

use heaphint_analysis::{
    Before, Change, Diff, DiffPlace, Figures, FileFigures, LineFigures, MatchedBy, Profile, Run, Selection,
    SummaryBy,
};

use super::columns::Columns;
use super::data::{Names, SUMS, reason, sums};

/// A line, or a function at its first line.
pub struct Place<'a> {
    /// In the later run.
    file: &'a str,
    qualname: &'a str,
    first_line: u32,
    /// The line of a line; `None` for functions.
    line: Option<u32>,
    /// The earlier run for what is in that one only.
    run: Run,
    before: Option<Before>,
    total: Change,
    own: Change,
}

/// All lines; of those of two runs nobody knows the own maximum.
pub fn lines<'a>(profile: &'a Profile, earlier: Option<&'a Diff<'a>>) -> Vec<Place<'a>> {
    if let Some(diff) = earlier {
        let places = diff.places(SummaryBy::Line).into_iter();
        return places.filter_map(|place| Place::of_both(diff, &place, profile, true)).collect();
    }
    let lines = profile.files().iter().flat_map(|file| file.lines.iter().map(move |line| (file, line)));
    let place = |(file, line): (&'a FileFigures, &'a LineFigures)| Place {
        file: &file.path,
        qualname: &line.qualname,
        first_line: first_line(file, &line.qualname, line.line),
        line: Some(line.line),
        run: Run::Later,
        before: None,
        total: Change { after: line.total_figures, ..Change::default() },
        own: Change { after: line.self_figures, ..Change::default() },
    };
    lines.map(place).collect()
}

/// All functions; of their own figures the maximum is not known.
pub fn functions<'a>(profile: &'a Profile, earlier: Option<&'a Diff<'a>>) -> Vec<Place<'a>> {
    if let Some(diff) = earlier {
        let places = diff.places(SummaryBy::Function).into_iter();
        return places.filter_map(|place| Place::of_both(diff, &place, profile, false)).collect();
    }
    let rows = profile.summary(SummaryBy::Function, &Selection::default()).rows.into_iter();
    rows.filter_map(|row| {
        let frame = row.location?;
        Some(Place {
            file: frame.file,
            qualname: frame.qualname,
            first_line: frame.line,
            line: None,
            run: Run::Later,
            before: None,
            total: Change { after: row.total, ..Change::default() },
            own: Change { after: row.own, ..Change::default() },
        })
    })
    .collect()
}

/// Where the function of a line begins. A line knows its function's name and not that: of several with the name the
/// last that begins before it.
fn first_line(file: &FileFigures, qualname: &str, line: u32) -> u32 {
    let namesakes = file.functions.iter().filter(|function| function.qualname == qualname);
    let before = namesakes.clone().rfind(|function| function.first_line <= line);
    before.or_else(|| namesakes.clone().next()).map_or(1, |function| function.first_line)
}

impl<'a> Place<'a> {
    /// A place of two runs; `None` for what is outside Python.
    fn of_both(diff: &'a Diff<'a>, place: &DiffPlace<'a>, later: &Profile, is_line: bool) -> Option<Self> {
        let frame = place.frame?;
        let is_gone = place.before.is_some_and(|before| before.matched_by.is_none());
        let profile = if is_gone { diff.before() } else { later };
        let first_line = match profile.file(frame.file) {
            Some(file) if is_line => first_line(file, frame.qualname, frame.line),
            _ => frame.line,
        };
        Some(Self {
            file: if is_gone { diff.later_path(frame.file).unwrap_or(frame.file) } else { frame.file },
            qualname: frame.qualname,
            first_line,
            line: is_line.then_some(frame.line),
            run: if is_gone { Run::Earlier } else { Run::Later },
            before: place.before,
            total: place.total,
            own: place.own,
        })
    }

    /// Writes not more than `most` places, those with most bytes. Returns how many were written, and how many there
    /// are.
    pub fn write(
        columns: &mut Columns,
        mut places: Vec<Self>,
        names: &mut Names<'a>,
        most: usize,
        of_both: bool,
    ) -> (usize, usize) {
        let seen = places.len();
        keep_largest(&mut places, most);
        let is_lines = places.first().is_some_and(|place| place.line.is_some());
        if is_lines {
            columns.add(places.iter().map(|place| u64::from(names.file(place.file))));
            columns.add(places.iter().map(|place| u64::from(place.line.unwrap_or(0))));
        }
        columns.add(
            places
                .iter()
                .map(|place| u64::from(names.function_named(place.qualname, place.file, place.first_line))),
        );
        let has_own_max = is_lines && !of_both;
        add_figures(columns, &places, |change| &change.after, has_own_max);
        if of_both {
            columns.add(places.iter().map(|place| place.run as u64));
            columns.add(places.iter().map(|place| u64::from(place.before.map_or(0, |before| before.line))));
            let is_guess = |before: Before| before.matched_by.is_some_and(MatchedBy::is_guess);
            columns.add(places.iter().map(|place| u64::from(place.before.is_some_and(is_guess))));
            add_figures(columns, &places, |change| &change.before, false);
        }
        (places.len(), seen)
    }
}

/// Keeps the `most` places with most bytes in either run, in the order in which they are.
fn keep_largest(places: &mut Vec<Place<'_>>, most: usize) {
    if places.len() <= most {
        return;
    }
    let weight = |figures: &Figures| {
        (figures.peak_bytes.max(figures.max_bytes).max(figures.leaked_bytes), figures.allocated_bytes)
    };
    let weight = |place: &Place<'_>| weight(&place.total.after).max(weight(&place.total.before));
    let mut weights: Vec<_> =
        places.iter().map(weight).enumerate().map(|(at, it)| (Reverse(it), at)).collect();
    weights.sort_unstable();
    let mut is_kept = vec![false; places.len()];
    for (_, at) in &weights[..most] {
        is_kept[*at] = true;
    }
    let mut is_kept = is_kept.into_iter();
    places.retain(|_| is_kept.next().unwrap_or(false));
}

/// Writes total figures with their maxima, then own ones, with maxima where they are known.
fn add_figures(
    columns: &mut Columns,
    places: &[Place<'_>],
    run: impl Fn(&Change) -> &Figures,
    has_own_max: bool,
) {
    let totals: Vec<&Figures> = places.iter().map(|place| run(&place.total)).collect();
    let owns: Vec<&Figures> = places.iter().map(|place| run(&place.own)).collect();
    add_sums(columns, &totals);
    add_maxima(columns, &totals);
    add_sums(columns, &owns);
    if has_own_max {
        add_maxima(columns, &owns);
    }
}

fn add_sums(columns: &mut Columns, rows: &[&Figures]) {
    for figure in 0..SUMS {
        columns.add(rows.iter().map(|figures| sums(figures)[figure]));
    }
}

fn add_maxima(columns: &mut Columns, rows: &[&Figures]) {
    columns.add(rows.iter().map(|figures| figures.max_bytes));
    columns.add(rows.iter().map(|figures| reason(figures.inexact) as u64));
}
