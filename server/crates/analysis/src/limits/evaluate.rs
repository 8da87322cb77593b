//! Comparing a profile with limits.

use super::{FindingKind, Limit, LimitScope, LimitSource};
use crate::{Figure, FileFigures, FunctionFigures, Inexact, LineFigures, Profile, StackList, Through};

/// Stacks that a finding names.
const STACKS: usize = 5;

/// One limit exceeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<'a> {
    /// What exceeded it.
    pub kind: FindingKind,
    /// Absolute path; `None` for the process.
    pub file: Option<&'a str>,
    /// The line, or the function's first line, 1-based; `None` for the process.
    pub line: Option<u32>,
    /// The function, or the line's function; `None` for the process.
    pub function: Option<&'a str>,
    /// The figure, bytes.
    pub measured_bytes: u64,
    /// The limit, bytes.
    pub limit_bytes: u64,
    /// Where the limit is written.
    pub limit_source: LimitSource,
    /// Set when the figure is not exact: the program exceeded the limit all the same.
    pub inexact: Option<Inexact>,
    /// The stacks that contributed most.
    pub stacks: StackList<'a>,
}

/// All findings, in the order of the limits and then of files and lines.
#[must_use]
pub fn evaluate<'a>(profile: &'a Profile, limits: &[Limit]) -> Vec<Finding<'a>> {
    let mut findings = Vec::new();
    for limit in limits {
        match &limit.scope {
            LimitScope::Peak => findings.extend(peak(profile, limit)),
            LimitScope::Functions { files, name } => {
                for file in profile.files().iter().filter(|file| files.matches(&file.path)) {
                    let named = file.functions.iter().filter(|f| f.name == *name || f.qualname == *name);
                    findings.extend(named.filter_map(|found| function(profile, limit, file, found)));
                }
            }
            LimitScope::Lines { files } => {
                for file in profile.files().iter().filter(|file| files.matches(&file.path)) {
                    findings.extend(file.lines.iter().filter_map(|found| line(profile, limit, file, found)));
                }
            }
            LimitScope::FunctionAt { file, lines } => {
                if let Some(file) = profile.file(file) {
                    let here = file.functions.iter().filter(|f| lines.contains(&f.first_line));
                    // A lambda or comprehension on the `def` line is not the function that is meant.
                    let here = here.filter(|f| !f.name.starts_with('<'));
                    findings.extend(here.filter_map(|found| function(profile, limit, file, found)));
                }
            }
            LimitScope::LineAt { file, line: number } => {
                if let Some(file) = profile.file(file) {
                    findings.extend(file.line(*number).and_then(|found| line(profile, limit, file, found)));
                }
            }
        }
    }
    findings
}

fn peak<'a>(profile: &'a Profile, limit: &Limit) -> Option<Finding<'a>> {
    let measured = profile.session().peak_bytes;
    (measured > limit.bytes).then(|| Finding {
        kind: FindingKind::Peak,
        file: None,
        line: None,
        function: None,
        measured_bytes: measured,
        limit_bytes: limit.bytes,
        limit_source: limit.source.clone(),
        inexact: profile.session().inexact,
        stacks: profile.stacks_through(Through::Anything, Figure::Peak, STACKS),
    })
}

fn function<'a>(
    profile: &'a Profile,
    limit: &Limit,
    file: &'a FileFigures,
    function: &'a FunctionFigures,
) -> Option<Finding<'a>> {
    let figures = &function.total_figures;
    let through =
        Through::Function { file: &file.path, qualname: &function.qualname, first_line: function.first_line };
    (figures.max_bytes > limit.bytes).then(|| Finding {
        kind: FindingKind::Function,
        file: Some(&file.path),
        line: Some(function.first_line),
        function: Some(&function.name),
        measured_bytes: figures.max_bytes,
        limit_bytes: limit.bytes,
        limit_source: limit.source.clone(),
        inexact: figures.inexact,
        stacks: profile.stacks_through(through, Figure::Max, STACKS),
    })
}

fn line<'a>(
    profile: &'a Profile,
    limit: &Limit,
    file: &'a FileFigures,
    line: &'a LineFigures,
) -> Option<Finding<'a>> {
    let figures = &line.total_figures;
    (figures.max_bytes > limit.bytes).then(|| Finding {
        kind: FindingKind::Line,
        file: Some(&file.path),
        line: Some(line.line),
        function: Some(&line.function),
        measured_bytes: figures.max_bytes,
        limit_bytes: limit.bytes,
        limit_source: limit.source.clone(),
        inexact: figures.inexact,
        stacks: profile.stacks_through(
            Through::Line { file: &file.path, line: line.line },
            Figure::Max,
            STACKS,
        ),
    })
}

#[cfg(test)]
mod tests {
    use heaphint_format::PlaceKind;

    use super::*;
    use crate::hand_made::HandMade;
    use crate::limits::FilePattern;

    fn profile() -> Profile {
        let mut made = HandMade::default();
        let main = made.code("<module>", "app/main.py", 1);
        let load = made.code("Store.load", "app/main.py", 4);
        let lambda = made.code("<lambda>", "app/main.py", 4);
        let call = made.stack(0, main, 9);
        let leaf = made.stack(call, load, 6);
        let tiny = made.stack(leaf, lambda, 4);
        made.site(leaf, 1000, 3, 2, 0);
        made.site(tiny, 10, 1, 0, 0);
        made.place(PlaceKind::TotalFunction, "app/main.py", 4, "Store.load", 3000);
        made.place(PlaceKind::TotalLine, "app/main.py", 6, "", 3000);
        made.place(PlaceKind::TotalLine, "app/main.py", 9, "", 3000);
        Profile::from_capture(&made.capture())
    }

    fn findings(scope: LimitScope, bytes: u64) -> Vec<(FindingKind, Option<u32>, u64)> {
        let profile = profile();
        let source = LimitSource { file: "/p/pyproject.toml".to_owned(), line: 3 };
        let found = evaluate(&profile, &[Limit { scope, bytes, source }]);
        found.iter().map(|finding| (finding.kind, finding.line, finding.measured_bytes)).collect()
    }

    fn files() -> FilePattern {
        FilePattern::new("app/*.py", "/p").unwrap()
    }

    #[test]
    fn a_limit_is_exceeded_by_one_byte_more() {
        assert_eq!(findings(LimitScope::Peak, 1999), [(FindingKind::Peak, None, 2000)]);
        assert_eq!(findings(LimitScope::Peak, 2000), []);
    }

    #[test]
    fn functions_are_found_by_either_name() {
        for name in ["load", "Store.load"] {
            let scope = LimitScope::Functions { files: files(), name: name.to_owned() };
            assert_eq!(findings(scope, 2999), [(FindingKind::Function, Some(4), 3000)]);
        }
        let scope = LimitScope::Functions { files: files(), name: "other".to_owned() };
        assert_eq!(findings(scope, 0), []);
    }

    #[test]
    fn a_function_is_found_by_its_lines() {
        let scope = LimitScope::FunctionAt { file: "/p/app/main.py".to_owned(), lines: 3..=4 };
        assert_eq!(findings(scope, 0), [(FindingKind::Function, Some(4), 3000)]);
    }

    #[test]
    fn lines_are_measured_with_what_they_call() {
        let lines = [(FindingKind::Line, Some(6), 3000), (FindingKind::Line, Some(9), 3000)];
        assert_eq!(findings(LimitScope::Lines { files: files() }, 2000), lines);
        let one = LimitScope::LineAt { file: "/p/app/main.py".to_owned(), line: 9 };
        assert_eq!(findings(one, 2000), lines[1..]);
    }

    #[test]
    fn a_finding_names_the_stacks_and_the_limit() {
        let profile = profile();
        let source = LimitSource { file: "/p/app/main.py".to_owned(), line: 6 };
        let scope = LimitScope::LineAt { file: "/p/app/main.py".to_owned(), line: 6 };
        let found = evaluate(&profile, &[Limit { scope, bytes: 1, source: source.clone() }]);
        assert_eq!(found[0].limit_source, source);
        assert_eq!(found[0].function, Some("load"));
        assert_eq!(found[0].inexact, None);
        assert_eq!(found[0].stacks.stacks[0].frames.len(), 2);
    }
}
