//! Comparing a profile with limits.

use super::finding::{Amount, Finding, FindingKind};
use super::{AcceptedRun, Baseline, Bound, Growth, Ignored, Limit, Rules, Scope};
use crate::profile::ImportFigures;
use crate::{
    Figure, Figures, FileFigures, FunctionFigures, Inexact, LineFigures, Profile, ProjectLine, Through,
};

/// Stacks that a finding names.
const STACKS: usize = 5;

/// What a run is compared with besides limits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'a> {
    /// Accepted runs.
    pub baseline: Option<&'a Baseline>,
    /// The run configuration that the program was started by.
    pub run: Option<&'a str>,
}

/// What became of the limits.
#[derive(Clone, Debug, Default)]
pub struct Verdict<'a> {
    /// Limits that were exceeded, in the order of the limits and then of files and lines.
    pub findings: Vec<Finding<'a>>,
    /// Indexes of limits that are about this run and were not exceeded.
    pub held: Vec<usize>,
    /// Indexes of limits that are about this run, and about nothing that it recorded.
    pub idle: Vec<usize>,
    /// Indexes of limits on growth for which there is no accepted run.
    pub incomparable: Vec<usize>,
}

/// Compares a run with all limits.
#[must_use]
pub fn evaluate<'a>(profile: &'a Profile, rules: &Rules, context: Context<'_>) -> Verdict<'a> {
    let accepted = context.baseline.and_then(|baseline| baseline.of(profile.session()));
    let mut verdict = Verdict::default();
    for (index, limit) in rules.limits.iter().enumerate() {
        if !limit.conditions.hold(profile.session(), context.run) {
            continue;
        }
        if matches!(limit.bound, Bound::Growth(_)) && accepted.is_none() {
            verdict.incomparable.push(index);
            continue;
        }
        let mut comparison = Comparison { profile, limit, accepted, found: Vec::new(), idle: true };
        comparison.compare();
        if comparison.idle {
            verdict.idle.push(index);
        }
        comparison.found.retain(|finding| !rules.ignored.iter().any(|ignored| ignored.hides(finding)));
        if comparison.found.is_empty() {
            verdict.held.push(index);
        }
        verdict.findings.extend(comparison.found);
    }
    verdict
}

impl Ignored {
    fn hides(&self, finding: &Finding<'_>) -> bool {
        finding.file == Some(self.file.as_str())
            && finding.line.is_some_and(|line| self.lines.contains(&line))
    }
}

/// What a finding is about; `'t` is the lifetime of names that are no part of it.
struct Subject<'a, 't> {
    kind: FindingKind,
    file: Option<&'a str>,
    line: Option<u32>,
    function: Option<&'a str>,
    module: Option<String>,
    through: Through<'t>,
    /// What the accepted run had.
    accepted: Option<u64>,
}

struct Comparison<'a, 'l> {
    profile: &'a Profile,
    limit: &'l Limit,
    accepted: Option<&'l AcceptedRun>,
    found: Vec<Finding<'a>>,
    /// Nothing was compared yet.
    idle: bool,
}

impl<'a> Comparison<'a, '_> {
    fn compare(&mut self) {
        let profile = self.profile;
        match &self.limit.scope {
            Scope::Process => self.process(),
            Scope::Functions { files, name } => {
                for file in profile.files().iter().filter(|file| files.matches(&file.path)) {
                    let named = file.functions.iter().filter(|f| name.matches(&f.name, &f.qualname));
                    named.for_each(|function| self.function(file, function));
                }
            }
            Scope::FunctionAt { file, lines } => {
                let Some(file) = profile.file(file) else { return };
                let here = file.functions.iter().filter(|f| lines.contains(&f.first_line));
                // A lambda or comprehension on the `def` line is not the function that is meant.
                here.filter(|f| !f.name.starts_with('<')).for_each(|function| self.function(file, function));
            }
            Scope::Lines { files } => {
                for file in profile.files().iter().filter(|file| files.matches(&file.path)) {
                    self.lines(file, &file.lines);
                }
            }
            Scope::LineAt { file, line } => {
                let Some(file) = profile.file(file) else { return };
                self.lines(file, file.line(*line).map_or(&[], std::slice::from_ref));
            }
            Scope::Import { module } => {
                if let Some(import) = profile.import(module) {
                    self.import(module, import);
                }
            }
        }
    }

    fn process(&mut self) {
        self.idle = false;
        let session = self.profile.session();
        let subject = |kind, accepted| Subject {
            kind,
            file: None,
            line: None,
            function: None,
            module: None,
            through: Through::Anything,
            accepted,
        };
        match self.limit.bound {
            Bound::Held(_) => {
                self.bytes(
                    subject(FindingKind::Peak, None),
                    session.peak_bytes,
                    session.inexact,
                    Figure::Peak,
                );
            }
            // The kernel's figure is what it is, and needs no journal to be whole.
            Bound::Resident(_) => {
                self.bytes(subject(FindingKind::Rss, None), session.rss_peak_bytes, None, Figure::Peak);
            }
            Bound::Growth(_) => {
                let accepted = self.accepted.map(|run| run.peak_bytes);
                let subject = subject(FindingKind::Growth, accepted);
                self.bytes(subject, session.peak_bytes, session.inexact, Figure::Peak);
            }
            Bound::Allocations(_) => {
                let damaged = session.inexact.filter(|why| why.is_of_all_figures());
                self.allocations(subject(FindingKind::Allocations, None), session.allocated_count, damaged);
            }
            Bound::Leaked(_) => self.leaks(Through::Anything, None, |_| true),
        }
    }

    fn function(&mut self, file: &'a FileFigures, function: &'a FunctionFigures) {
        self.idle = false;
        let figures = &function.total_figures;
        let through = Through::Function {
            file: &file.path,
            qualname: &function.qualname,
            first_line: function.first_line,
        };
        if let Bound::Leaked(_) = self.limit.bound {
            return self.leaks(through, Some(&function.name), |_| true);
        }
        let subject = Subject {
            kind: FindingKind::Function,
            file: Some(&file.path),
            line: Some(function.first_line),
            function: Some(&function.name),
            module: None,
            through,
            accepted: self
                .accepted
                .filter(|_| matches!(self.limit.bound, Bound::Growth(_)))
                .and_then(|run| run.function(self.profile.session(), &file.path, &function.qualname)),
        };
        self.figures(subject, figures);
    }

    fn lines(&mut self, file: &'a FileFigures, lines: &'a [LineFigures]) {
        if let Bound::Leaked(_) = self.limit.bound {
            let numbers: Vec<u32> = lines.iter().map(|line| line.line).collect();
            self.idle &= numbers.is_empty();
            return self.leaks(Through::Anything, None, |line| {
                line.location.file == file.path && numbers.binary_search(&line.location.line).is_ok()
            });
        }
        for line in lines {
            self.idle = false;
            let subject = Subject {
                kind: FindingKind::Line,
                file: Some(&file.path),
                line: Some(line.line),
                function: Some(&line.function),
                module: None,
                through: Through::Line { file: &file.path, line: line.line },
                accepted: None,
            };
            self.figures(subject, &line.total_figures);
        }
    }

    fn import(&mut self, module: &str, import: ImportFigures<'a>) {
        self.idle = false;
        let at = import.importer;
        let subject = Subject {
            kind: FindingKind::Import,
            file: at.map(|frame| frame.file),
            line: at.map(|frame| frame.line),
            function: at.map(|frame| frame.function),
            module: Some(module.to_owned()),
            through: Through::Import { module },
            accepted: None,
        };
        self.figures(subject, &import.figures);
    }

    /// Compares what a part of the program held, or how often it allocated.
    fn figures(&mut self, subject: Subject<'a, '_>, figures: &Figures) {
        match self.limit.bound {
            Bound::Allocations(_) => {
                let damaged = figures.inexact.filter(|why| why.is_of_all_figures());
                let subject = Subject { kind: FindingKind::Allocations, ..subject };
                self.allocations(subject, figures.allocated_count, damaged);
            }
            Bound::Growth(_) => {
                let subject = Subject { kind: FindingKind::Growth, ..subject };
                self.bytes(subject, figures.max_bytes, figures.inexact, Figure::Max);
            }
            Bound::Held(_) | Bound::Resident(_) | Bound::Leaked(_) => {
                self.bytes(subject, figures.max_bytes, figures.inexact, Figure::Max);
            }
        }
    }

    /// Compares what each line of the project still held at the end. `through` and `function` narrow it to what was
    /// allocated below a function.
    fn leaks(
        &mut self,
        through: Through<'_>,
        function: Option<&'a str>,
        is_meant: impl Fn(&ProjectLine<'a>) -> bool,
    ) {
        let lines = self.profile.project_lines_through(through, Figure::Leaked);
        for line in lines.iter().filter(|line| is_meant(line)) {
            let damaged = self.profile.session().inexact.filter(|why| why.is_of_all_figures());
            let subject = Subject {
                kind: FindingKind::Leak,
                file: Some(line.location.file),
                line: Some(line.location.line),
                function: Some(function.unwrap_or(line.location.function)),
                module: None,
                through: Through::ProjectLine { file: line.location.file, line: line.location.line },
                accepted: None,
            };
            let is_function = function.is_some();
            let before = self.found.len();
            self.bytes(subject, line.bytes, damaged, Figure::Leaked);
            self.found[before..].iter_mut().for_each(|finding| finding.is_function = is_function);
        }
    }

    fn bytes(&mut self, subject: Subject<'a, '_>, measured: u64, inexact: Option<Inexact>, figure: Figure) {
        let (most, growth) = match self.limit.bound {
            Bound::Held(bytes) | Bound::Resident(bytes) | Bound::Leaked(bytes) => (bytes, None),
            Bound::Growth(growth) => {
                // What is new has nothing to be compared with.
                let Some(accepted) = subject.accepted else { return };
                (growth.most(accepted), Some((accepted, growth)))
            }
            Bound::Allocations(_) => return,
        };
        if measured > most {
            self.push(subject, Amount::Bytes(measured), Amount::Bytes(most), growth, inexact, figure);
        }
    }

    fn allocations(&mut self, subject: Subject<'a, '_>, measured: u64, inexact: Option<Inexact>) {
        if let Bound::Allocations(most) = self.limit.bound
            && measured > most
        {
            let (measured, most) = (Amount::Allocations(measured), Amount::Allocations(most));
            self.push(subject, measured, most, None, inexact, Figure::Allocated);
        }
    }

    fn push(
        &mut self,
        subject: Subject<'a, '_>,
        measured: Amount,
        limit: Amount,
        growth: Option<(u64, Growth)>,
        inexact: Option<Inexact>,
        figure: Figure,
    ) {
        self.found.push(Finding {
            is_function: matches!(subject.through, Through::Function { .. }),
            kind: subject.kind,
            file: subject.file,
            line: subject.line,
            function: subject.function,
            module: subject.module,
            measured,
            limit,
            growth,
            limit_source: self.limit.source.clone(),
            inexact,
            stacks: match measured {
                Amount::Bytes(_) => self.profile.stacks_through(subject.through, figure, STACKS),
                Amount::Allocations(_) => self.profile.busiest_stacks_through(subject.through, STACKS),
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use heaphint_format::PlaceKind;

    use super::*;
    use crate::hand_made::HandMade;
    use crate::limits::{Conditions, FilePattern, LimitSource, NamePattern};

    fn profile() -> Profile {
        let mut made = HandMade::default();
        let main = made.code("<module>", "app/main.py", 1);
        let load = made.code("Store.load", "app/main.py", 4);
        let lambda = made.code("<lambda>", "app/main.py", 4);
        let library = made.code("read", "/usr/lib/python3.11/site-packages/lib.py", 1);
        made.codes[library as usize].in_project = 0;
        let call = made.stack(0, main, 9);
        let leaf = made.stack(call, load, 6);
        let tiny = made.stack(leaf, lambda, 4);
        let read = made.stack(call, library, 2);
        made.site(leaf, 1000, 3, 2, 1);
        made.site(tiny, 10, 1, 0, 0);
        made.site(read, 400, 2, 0, 2);
        made.header.rss_peak_bytes = 9000;
        made.place(PlaceKind::TotalFunction, "app/main.py", 4, "Store.load", 3000);
        made.place(PlaceKind::TotalLine, "app/main.py", 6, "", 3000);
        made.place(PlaceKind::TotalLine, "app/main.py", 9, "", 3000);
        Profile::from_capture(&made.capture())
    }

    fn rules(scope: Scope, bound: Bound) -> Rules {
        let source = LimitSource::new("/p/pyproject.toml", "\n\npeak", 2..6);
        let limit = Limit { scope, bound, conditions: Conditions::default(), source };
        Rules { limits: vec![limit], ignored: Vec::new() }
    }

    fn findings(scope: Scope, bound: Bound) -> Vec<(FindingKind, Option<u32>, Amount)> {
        let profile = profile();
        let verdict = evaluate(&profile, &rules(scope, bound), Context::default());
        verdict.findings.iter().map(|finding| (finding.kind, finding.line, finding.measured)).collect()
    }

    fn files() -> FilePattern {
        FilePattern::new("app/*.py", "/p").unwrap()
    }

    fn named(name: &str) -> Scope {
        Scope::Functions { files: files(), name: NamePattern::new(name).unwrap() }
    }

    #[test]
    fn a_limit_is_exceeded_by_one_byte_more() {
        let peak = (FindingKind::Peak, None, Amount::Bytes(2000));
        assert_eq!(findings(Scope::Process, Bound::Held(1999)), [peak]);
        assert_eq!(findings(Scope::Process, Bound::Held(2000)), []);
        let rss = (FindingKind::Rss, None, Amount::Bytes(9000));
        assert_eq!(findings(Scope::Process, Bound::Resident(8999)), [rss]);
    }

    #[test]
    fn functions_are_found_by_either_name() {
        for name in ["load", "Store.load", "Store.*"] {
            let found = [(FindingKind::Function, Some(4), Amount::Bytes(3000))];
            assert_eq!(findings(named(name), Bound::Held(2999)), found);
        }
        assert_eq!(findings(named("other"), Bound::Held(0)), []);
    }

    #[test]
    fn a_function_is_found_by_its_lines() {
        let scope = Scope::FunctionAt { file: "/p/app/main.py".to_owned(), lines: 3..=4 };
        let found = [(FindingKind::Function, Some(4), Amount::Bytes(3000))];
        assert_eq!(findings(scope, Bound::Held(0)), found);
    }

    #[test]
    fn lines_are_measured_with_what_they_call() {
        let line = |line| (FindingKind::Line, Some(line), Amount::Bytes(3000));
        assert_eq!(findings(Scope::Lines { files: files() }, Bound::Held(2000)), [line(6), line(9)]);
        let one = Scope::LineAt { file: "/p/app/main.py".to_owned(), line: 9 };
        assert_eq!(findings(one, Bound::Held(2000)), [line(9)]);
    }

    #[test]
    fn leaks_belong_to_the_line_of_the_project_that_made_them() {
        let leak = |line, bytes| (FindingKind::Leak, Some(line), Amount::Bytes(bytes));
        assert_eq!(findings(Scope::Process, Bound::Leaked(500)), [leak(6, 1000), leak(9, 800)]);
        assert_eq!(findings(Scope::Process, Bound::Leaked(800)), [leak(6, 1000)]);
        assert_eq!(findings(named("load"), Bound::Leaked(500)), [leak(6, 1000)]);
        let one = Scope::LineAt { file: "/p/app/main.py".to_owned(), line: 9 };
        assert_eq!(findings(one.clone(), Bound::Leaked(500)), [leak(9, 800)]);
        let profile = profile();
        let verdict = evaluate(&profile, &rules(one, Bound::Leaked(500)), Context::default());
        assert_eq!(
            verdict.findings[0].stacks.stacks.len(),
            1,
            "those of other lines of the project are theirs"
        );
    }

    #[test]
    fn allocations_are_counted() {
        let made = |line, count| (FindingKind::Allocations, line, Amount::Allocations(count));
        assert_eq!(findings(Scope::Process, Bound::Allocations(5)), [made(None, 6)]);
        assert_eq!(findings(named("load"), Bound::Allocations(3)), [made(Some(4), 4)]);
        assert_eq!(findings(named("load"), Bound::Allocations(4)), []);
    }

    #[test]
    fn growth_is_measured_from_the_accepted_run() {
        let profile = profile();
        let mut baseline = Baseline::default();
        let growth = |text| Bound::Growth(Growth::parse(text).unwrap());
        let check = |scope, bound, baseline: &Baseline| {
            let context = Context { baseline: Some(baseline), run: None };
            let rules = rules(scope, bound);
            let verdict = evaluate(&profile, &rules, context);
            let growth = verdict.findings.iter().map(|f| (f.line, f.limit, f.growth.unwrap().0));
            (growth.collect::<Vec<_>>(), verdict.incomparable.len())
        };
        assert_eq!(check(Scope::Process, growth("5 %"), &baseline), (vec![], 1));
        baseline.accept(&profile);
        assert_eq!(check(Scope::Process, growth("0 %"), &baseline), (vec![], 0));
        let less = baseline.text().unwrap().replace("2000", "1000").replace("3000", "2900");
        let less = Baseline::parse(&less).unwrap();
        let found = (None, Amount::Bytes(1100), 1000);
        assert_eq!(check(Scope::Process, growth("10 %"), &less), (vec![found], 0));
        assert_eq!(check(Scope::Process, growth("1 KB"), &less), (vec![], 0));
        let found = (Some(4), Amount::Bytes(2900), 2900);
        assert_eq!(check(named("load"), growth("0 B"), &less), (vec![found], 0));
    }

    #[test]
    fn a_finding_names_the_stacks_and_the_limit() {
        let profile = profile();
        let scope = Scope::LineAt { file: "/p/app/main.py".to_owned(), line: 6 };
        let mut rules = rules(scope, Bound::Held(1));
        let found = evaluate(&profile, &rules, Context::default()).findings;
        assert_eq!((found[0].limit_source.line, found[0].limit_source.column), (3, 1));
        assert_eq!(found[0].function, Some("load"));
        assert_eq!(found[0].inexact, None);
        assert_eq!(found[0].stacks.stacks[0].frames.len(), 2);
        rules.ignored.push(Ignored { file: "/p/app/main.py".to_owned(), lines: 6..=6 });
        assert_eq!(evaluate(&profile, &rules, Context::default()).findings, []);
    }

    #[test]
    fn limits_about_nothing_are_told_apart() {
        let profile = profile();
        let idle = |scope| evaluate(&profile, &rules(scope, Bound::Held(1 << 40)), Context::default()).idle;
        assert_eq!(idle(named("other")), [0]);
        assert_eq!(idle(Scope::Import { module: "app.cli".to_owned() }), [0]);
        assert!(idle(named("load")).is_empty());
        assert!(idle(Scope::Process).is_empty());
    }
}
