//! Two runs side by side.

use std::collections::HashMap;
use std::io::{self, Write};

use heaphint_analysis::{
    Before, Change, ChangeKind, Diff, DiffPlace, Figure, Frame, MatchedBy, Measure, Profile,
};
use serde::Serialize;

use crate::json::{JsonFigures, JsonSession, SCHEMA, write};
use crate::session::session_text;
use crate::sources::{ReadSource, Sources};
use crate::text::{Look, Role, printable, short_path};
use crate::tree::frame_place;

/// Frames of a stack that people read.
const INNERMOST_FRAMES: usize = 6;

/// Which differences are written.
#[derive(Clone, Copy, Debug)]
pub struct DiffView {
    /// What differences are measured by.
    pub measure: Measure,
    /// Smaller differences are left out.
    pub threshold: u64,
    /// Entries of each list beyond this many are left out.
    pub most: usize,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    before: JsonSession<'a>,
    after: JsonSession<'a>,
    /// What differences are ordered by.
    by: &'static str,
    threshold: u64,
    whole: JsonChange,
    lines: Vec<Place<'a>>,
    functions: Vec<Place<'a>>,
    /// The frames of stacks, each once: deep stacks share most of theirs.
    frames: Vec<Location<'a>>,
    stacks: Vec<Stack>,
}

#[derive(Serialize)]
struct JsonChange {
    before: JsonFigures,
    after: JsonFigures,
}

impl JsonChange {
    fn new(change: &Change, has_max: bool) -> Self {
        let figures = if has_max { JsonFigures::from } else { JsonFigures::without_max };
        Self { before: figures(&change.before), after: figures(&change.after) }
    }
}

/// Where a frame is, and where it was.
#[derive(Serialize)]
struct Location<'a> {
    function: &'a str,
    qualname: &'a str,
    file: &'a str,
    /// `null` when it is in the earlier run only.
    line: Option<u32>,
    /// `null` when it is in the later run only.
    before_line: Option<u32>,
    /// How the earlier line was found; `null` when it was not.
    matched_by: Option<&'static str>,
    guess: bool,
}

impl<'a> Location<'a> {
    fn new(frame: &Frame<'a>, before: Option<Before>) -> Self {
        let matched_by = before.and_then(|before| before.matched_by);
        Self {
            function: frame.function,
            qualname: frame.qualname,
            file: frame.file,
            line: (before.is_none() || matched_by.is_some()).then_some(frame.line),
            before_line: before.map(|before| before.line),
            matched_by: matched_by.map(MatchedBy::name),
            guess: matched_by.is_some_and(MatchedBy::is_guess),
        }
    }
}

#[derive(Serialize)]
struct Place<'a> {
    change: &'static str,
    /// Of the total.
    delta: i64,
    /// `null` for allocations without any Python frame.
    location: Option<Location<'a>>,
    #[serde(rename = "self")]
    own: JsonChange,
    total: JsonChange,
}

fn places<'a>(places: Vec<DiffPlace<'a>>, view: &DiffView) -> Vec<Place<'a>> {
    let place = |place: DiffPlace<'a>| Place {
        change: place.total.kind(view.measure).name(),
        delta: place.total.delta(view.measure),
        location: place.frame.map(|frame| Location::new(&frame, place.before)),
        own: JsonChange::new(&place.own, false),
        total: JsonChange::new(&place.total, place.frame.is_some()),
    };
    places.into_iter().take(view.most).map(place).collect()
}

#[derive(Serialize)]
struct Stack {
    change: &'static str,
    delta: i64,
    #[serde(flatten)]
    figures: JsonChange,
    /// Indices into the document's frames, outermost first.
    frames: Vec<usize>,
}

/// Writes both sessions and their differences as one object.
///
/// # Errors
/// When `out` cannot be written.
pub fn diff_json<'a>(
    out: &mut dyn Write,
    sessions: [&'a Profile; 2],
    diff: &Diff<'a>,
    view: &DiffView,
) -> io::Result<()> {
    let measure = view.measure;
    let mut frames: Vec<Location<'a>> = Vec::new();
    let mut numbers: HashMap<(&'a str, &'a str, u32, Option<u32>), usize> = HashMap::new();
    let mut number = |frame: Frame<'a>, before: Option<Before>| {
        let key = (frame.file, frame.qualname, frame.line, before.map(|before| before.line));
        *numbers.entry(key).or_insert_with(|| {
            frames.push(Location::new(&frame, before));
            frames.len() - 1
        })
    };
    let mut stacks = Vec::new();
    for id in diff.stacks(measure, view.threshold).into_iter().take(view.most) {
        let own = diff.nodes()[id.index()].own;
        let stack = diff.stack(id).into_iter();
        stacks.push(Stack {
            change: own.kind(measure).name(),
            delta: own.delta(measure),
            figures: JsonChange::new(&own, false),
            frames: stack.filter_map(|node| Some(number(node.frame?, node.before))).collect(),
        });
    }
    let document = Document {
        schema: SCHEMA,
        before: sessions[0].session().into(),
        after: sessions[1].session().into(),
        by: measure.figure.name(),
        threshold: view.threshold,
        whole: JsonChange::new(&diff.whole(), false),
        lines: places(diff.lines(measure, view.threshold), view),
        functions: places(diff.functions(measure, view.threshold), view),
        frames,
        stacks,
    };
    write(out, &document)
}

/// A difference with its sign: `+40.0 MiB`.
fn signed(look: &Look, before: u64, after: u64, measure: Measure) -> String {
    let sign = if after < before { '-' } else { '+' };
    format!("{sign}{}", look.measured(before.abs_diff(after), measure))
}

/// The three columns of a difference, and what it is.
fn columns(look: &Look, before: u64, after: u64, measure: Measure) -> String {
    let kind = ChangeKind::of(before, after);
    let role = if after < before { Role::Dim } else { Role::Large };
    let delta = look.paint(role, format!("{:>12}", signed(look, before, after, measure)));
    let [before, after] = [before, after].map(|value| look.measured(value, measure));
    format!("{delta} {before:>11} {after:>11}  {:<8}", kind.name())
}

/// Columns of [`columns`].
const COLUMNS: usize = 12 + 1 + 11 + 1 + 11 + 2 + 8;

/// Writes what the runs were, how their figures differ, and the lines, functions and stacks that differ most.
///
/// # Errors
/// When `out` cannot be written.
pub fn diff_text(
    out: &mut dyn Write,
    sessions: [&Profile; 2],
    diff: &Diff<'_>,
    view: &DiffView,
    look: &Look,
    source: &ReadSource<'_>,
) -> io::Result<()> {
    let mut both = *look;
    for (title, session) in ["before", "after"].into_iter().zip(sessions) {
        write!(out, "{} ", look.paint(Role::Dim, title))?;
        session_text(out, session, look)?;
        both = both.of(session);
    }
    let look = &both;
    let measure = view.measure;
    let heading = format!("{:>12} {:>11} {:>11}", "change", "before", "after");
    writeln!(out, "\n{}", look.paint(Role::Dim, &heading))?;
    let whole = diff.whole();
    for figure in [Figure::Peak, Figure::Allocated, Figure::Leaked, Figure::Temporary] {
        let measure = Measure { figure, ..measure };
        let (before, after) = (whole.before.of(measure), whole.after.of(measure));
        writeln!(out, "{}  {}", columns(look, before, after, measure), figure.name())?;
    }

    let mut text = Text { out, look, sources: Sources::new(source), measure, guessed: false };
    let directory = &sessions[1].session().directory;
    let name = measure.figure.name();
    let lines = diff.project_lines(measure, view.threshold);
    text.list(&format!("Lines ({name}), with the libraries they call"), lines.len(), view.most)?;
    for line in lines.iter().take(view.most) {
        let place = text.place(&line.frame, line.before, directory);
        text.row(line.before_value, line.after_value, &place, Some(&line.frame))?;
    }
    let functions = diff.functions(measure, view.threshold);
    text.list(&format!("Functions ({name}), with all they call"), functions.len(), view.most)?;
    for function in functions.iter().take(view.most) {
        let place = function.frame.as_ref().map_or_else(
            || "outside Python code".to_owned(),
            |frame| {
                let place = text.place(frame, function.before, directory);
                format!("{} at {place}", printable(frame.qualname))
            },
        );
        let total = function.total;
        text.row(total.before.of(measure), total.after.of(measure), &place, None)?;
    }
    let stacks = diff.stacks(measure, view.threshold);
    text.list(&format!("Stacks ({name})"), stacks.len(), view.most)?;
    for id in stacks.into_iter().take(view.most) {
        let own = diff.nodes()[id.index()].own;
        let frames: Vec<_> = diff
            .stack(id)
            .into_iter()
            .filter_map(|node| Some((node.frame?, node.before)))
            .filter(|(frame, _)| !frame.is_import_system())
            .collect();
        let innermost = frames.iter().rev().take(INNERMOST_FRAMES).map(|(frame, before)| {
            format!("{} {}", printable(frame.qualname), text.place(frame, *before, directory))
        });
        let mut stack: Vec<String> = innermost.collect();
        if frames.len() > INNERMOST_FRAMES {
            stack.push(format!("… {} frames more", frames.len() - INNERMOST_FRAMES));
        }
        let mut stack = stack.into_iter();
        let first = stack.next().unwrap_or_else(|| "outside Python code".to_owned());
        text.guessed |= frames.iter().any(|(_, before)| is_guess(*before));
        text.row(own.before.of(measure), own.after.of(measure), &first, None)?;
        for frame in stack {
            writeln!(text.out, "{:COLUMNS$}  {}", "", look.paint(Role::Dim, look.fit(&frame, COLUMNS + 2)))?;
        }
    }
    if text.guessed {
        writeln!(
            text.out,
            "\n~  a guess: the text of a file at the time of a run is not known, or the line was changed \
             (--before-source and --after-source name folders that have the files)"
        )?;
    }
    Ok(())
}

fn is_guess(before: Option<Before>) -> bool {
    before.and_then(|before| before.matched_by).is_some_and(MatchedBy::is_guess)
}

/// A text in the making.
struct Text<'t> {
    out: &'t mut dyn Write,
    look: &'t Look,
    sources: Sources<'t>,
    measure: Measure,
    /// Whether a guess was written.
    guessed: bool,
}

impl Text<'_> {
    /// The title of a list, or that it is empty.
    fn list(&mut self, title: &str, len: usize, most: usize) -> io::Result<()> {
        let title = match len {
            0 => format!("{title}: no difference"),
            len if len > most => format!("{title}, {most} of {len}"),
            _ => title.to_owned(),
        };
        writeln!(self.out, "\n{}", self.look.paint(Role::Heading, title))
    }

    /// Where a frame is, and where it was when that is another line.
    fn place(&self, frame: &Frame<'_>, before: Option<Before>, directory: &str) -> String {
        match before {
            Some(Before { line, matched_by: Some(by) }) if line != frame.line || by.is_guess() => {
                let guess = if by.is_guess() { "~ " } else { "" };
                format!(
                    "{} (was {guess}{line})",
                    printable(&format!("{}:{}", short_path(frame.file, directory), frame.line))
                )
            }
            _ => frame_place(frame, directory),
        }
    }

    fn row(&mut self, before: u64, after: u64, place: &str, source: Option<&Frame<'_>>) -> io::Result<()> {
        self.guessed |= place.contains("(was ~ ");
        let line =
            source.filter(|_| after > 0).and_then(|frame| self.sources.line(frame)).unwrap_or_default();
        let place = self.look.fit(place, COLUMNS + 2);
        let line = self.look.fit(&line, COLUMNS + 4 + place.chars().count());
        let row = format!(
            "{}  {place}  {}",
            columns(self.look, before, after, self.measure),
            self.look.paint(Role::Dim, line)
        );
        writeln!(self.out, "{}", row.trim_end())
    }
}
