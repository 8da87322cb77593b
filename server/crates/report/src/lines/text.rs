//! Annotated source, as a person reads it in a terminal.

use std::collections::HashSet;
use std::io::{self, Write};

use heaphint_analysis::{Figure, Figures, FileFigures, Inexact, LineFigures, Profile};

use super::LinesOptions;
use super::source::{Source, shown_lines};
use crate::session::session_text;
use crate::text::{Look, Role, printable, prominence, short_path};

/// Lines in the list before the sources.
const LARGEST: usize = 10;
/// Columns of a size.
const SIZE_WIDTH: usize = 10;

/// Writes what the run was, the project's largest lines, and the chosen files with figures beside their lines. `source`
/// gives the text of a file by its path, if there is one.
///
/// # Errors
/// When `out` cannot be written.
pub fn lines_text(
    out: &mut dyn Write,
    profile: &Profile,
    options: &LinesOptions,
    look: &Look,
    source: &dyn Fn(&str) -> Option<Source>,
) -> io::Result<()> {
    session_text(out, profile, look)?;
    let look = &look.of(profile);
    if options.files.is_empty() {
        largest(out, profile, options, look, source)?;
    }
    let files = options.choose(profile);
    for (file, lines) in &files {
        writeln!(out)?;
        Page { file, lines, options, look, source: source(&file.path) }.write(out)?;
    }
    if files.is_empty() {
        let known = options.files.is_empty() || profile.files().iter().any(|file| options.is_chosen(file));
        let (least, figure) = (look.exact_size(options.min_bytes), options.sort.name());
        let what = if options.files.is_empty() { "this project" } else { "these files" };
        if known {
            writeln!(out, "\nNo line of {what} has {least} or more ({figure}).")?;
        } else {
            writeln!(out, "\nNothing was recorded in these files.")?;
        }
    }
    let is_bound = |figures: &Figures| figures.inexact == Some(Inexact::MaxIsLowerBound);
    if files.iter().flat_map(|(_, lines)| lines).any(|line| is_bound(&line.total_figures)) {
        writeln!(out, "\n≥  at least; maxima with callees are exact in project files only")?;
    }
    if options.files.is_empty() && !options.all_files {
        let hidden = profile.files().iter().filter(|file| !file.in_project);
        let hidden = hidden.filter(|file| file.lines.iter().any(|line| options.matters(line))).count();
        if hidden > 0 {
            let files =
                if hidden == 1 { "1 library file".to_owned() } else { format!("{hidden} library files") };
            writeln!(
                out,
                "{}",
                look.paint(Role::Dim, format!("{files} with such lines not shown: --all shows them"))
            )?;
        }
    }
    Ok(())
}

/// The project's lines that hold most, each with the libraries it calls.
fn largest(
    out: &mut dyn Write,
    profile: &Profile,
    options: &LinesOptions,
    look: &Look,
    source: &dyn Fn(&str) -> Option<Source>,
) -> io::Result<()> {
    let what = match options.sort {
        Figure::Peak | Figure::Max => "hold most at the peak",
        Figure::Allocated => "allocate most",
        Figure::Leaked => "hold most at the end",
        Figure::Temporary => "make most temporary allocations",
    };
    let lines = profile.project_lines(options.sort);
    let lines = lines.iter().filter(|line| line.bytes >= options.min_bytes).take(LARGEST);
    for (index, line) in lines.enumerate() {
        if index == 0 {
            let title = format!("Lines that {what}, with the libraries they call");
            writeln!(out, "\n{}", look.paint(Role::Heading, title))?;
        }
        let path = short_path(line.location.file, &profile.session().directory);
        let place = printable(&format!("{path}:{}", line.location.line));
        let text = source(line.location.file).and_then(|source| {
            source.text.lines().nth(line.location.line as usize - 1).map(|text| printable(text.trim()))
        });
        let size = format!("{:>SIZE_WIDTH$}", look.size(line.bytes));
        let used = SIZE_WIDTH + 4 + place.chars().count();
        writeln!(
            out,
            "{}  {place}  {}",
            look.paint(prominence(line.bytes, profile.session().peak_bytes), size),
            look.paint(Role::Dim, look.fit(&text.unwrap_or_default(), used))
        )?;
    }
    Ok(())
}

/// The figures of the columns; that which was asked for first. Its `self` figure stands second.
fn columns(sort: Figure) -> [Figure; 3] {
    match sort {
        Figure::Peak => [Figure::Peak, Figure::Max, Figure::Allocated],
        Figure::Max => [Figure::Max, Figure::Peak, Figure::Allocated],
        Figure::Allocated => [Figure::Allocated, Figure::Peak, Figure::Max],
        Figure::Leaked => [Figure::Leaked, Figure::Peak, Figure::Max],
        Figure::Temporary => [Figure::Temporary, Figure::Allocated, Figure::Peak],
    }
}

/// One file.
struct Page<'a> {
    file: &'a FileFigures,
    lines: &'a [&'a LineFigures],
    options: &'a LinesOptions,
    look: &'a Look,
    source: Option<Source>,
}

impl Page<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let look = self.look;
        let at_peak = look.size(self.file.total_figures.peak_bytes);
        writeln!(
            out,
            "{}  {}",
            look.paint(Role::Heading, printable(&self.file.path)),
            look.paint(Role::Dim, format!("{at_peak} at the peak, with what it calls"))
        )?;
        if self.source.as_ref().is_some_and(|source| source.changed_since) {
            writeln!(out, "{} the file was changed after the run", look.paint(Role::Warning, "note:"))?;
        }
        let matter: Vec<u32> = self.lines.iter().map(|line| line.line).collect();
        let texts: Vec<&str> =
            self.source.as_ref().map(|source| source.text.lines().collect()).unwrap_or_default();
        let shown_functions: HashSet<&str> = self.lines.iter().map(|line| line.qualname.as_str()).collect();
        let headings: Vec<u32> = self
            .file
            .functions
            .iter()
            .filter(|function| shown_functions.contains(function.qualname.as_str()))
            .map(|function| function.first_line)
            .collect();
        let groups = shown_lines(&matter, &headings, texts.len() as u32);
        let number_width =
            groups.last().and_then(|group| group.last()).map_or(1, |line| line.to_string().len());
        let [first, others @ ..] = columns(self.options.sort);
        let [third, fourth] = others.map(Figure::name);
        let headers = [first.name(), "self", third, fourth].map(|name| format!("{name:>SIZE_WIDTH$}"));
        writeln!(out, "{}", look.paint(Role::Dim, headers.join(" ")))?;
        for (index, group) in groups.iter().enumerate() {
            if index > 0 {
                let blank = 4 * (SIZE_WIDTH + 1);
                writeln!(out, "{}", look.paint(Role::Dim, format!("{:blank$}{:>number_width$}", "", "⋮")))?;
            }
            for line in group {
                let text = texts.get(*line as usize - 1).copied().unwrap_or_default();
                self.line(out, *line, number_width, text)?;
            }
        }
        Ok(())
    }

    fn line(&self, out: &mut dyn Write, number: u32, number_width: usize, text: &str) -> io::Result<()> {
        let look = self.look;
        let used = 4 * (SIZE_WIDTH + 1) + number_width + 3;
        let text = look.fit(printable(text).trim_end(), used);
        let Ok(index) = self.lines.binary_search_by_key(&number, |line| line.line) else {
            let blank = 4 * (SIZE_WIDTH + 1);
            let row = format!("{:blank$}{number:>number_width$} │ {text}", "");
            return writeln!(out, "{}", look.paint(Role::Dim, row.trim_end()));
        };
        let line = self.lines[index];
        let (own, total) = (&line.self_figures, &line.total_figures);
        let [first, third, fourth] = columns(self.options.sort);
        let largest = self.file.total_figures.bytes(first);
        for (figure, figures, column) in
            [(first, total, 0), (first, own, 1), (third, total, 2), (fourth, total, 3)]
        {
            let bytes = figures.bytes(figure);
            let is_bound = figure == Figure::Max && figures.inexact == Some(Inexact::MaxIsLowerBound);
            let mark = if is_bound { "≥ " } else { "" };
            let shown = if bytes == 0 { String::new() } else { format!("{mark}{}", look.size(bytes)) };
            let role = if column < 2 { prominence(bytes, largest) } else { Role::Dim };
            write!(out, "{} ", look.paint(role, format!("{shown:>SIZE_WIDTH$}")))?;
        }
        writeln!(out, "{}", format!("{number:>number_width$} │ {text}").trim_end())
    }
}
