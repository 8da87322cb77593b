//! The figures that a Python subject states about itself, in comments:
//!
//! ```text
//! # expect: self.peak_bytes=100 total.max_bytes~100      this line, or the next line of code when it stands alone
//! # expect in child: self.peak_bytes=100                 the same, in the capture of the forked child
//! # expect file "<name>" line 2: self.peak_bytes=100     a line of another file
//! # expect session: exit_code=0 captures=1               the session; `captures` counts the files
//! # memray: why Memray says something else             this line, or everywhere when it stands alone
//! # requires: module
//! # unsteady: why the interpreter may fail by itself
//! ```
//!
//! A value `5000000+2` stands for 2 bytearrays with 5000000 bytes together. Each needs a byte more than it has, and from
//! CPython 3.15 on, where it keeps them in a `bytes` object, 33 more.
//!
//! `=` is to the byte, `>=` and `<=` are bounds, and `~` is up to 10 kB more: room for the small blocks that an
//! interpreter makes for itself when a line calls a function, which differ between versions.

use std::collections::BTreeSet;
use std::fmt;

use std::path::Path;

use serde_json::Value;

/// Blocks below this size may be the interpreter's own.
pub const SMALL: u64 = 10_000;

/// One subject's statements.
#[derive(Debug, Default)]
pub struct Subject {
    pub statements: Vec<Statement>,
    /// Memray's figures differ, on every line.
    pub memray_differs: bool,
    /// Lines on which Memray's figures differ.
    pub memray_differs_on: BTreeSet<u64>,
    /// A module without which the subject cannot run.
    pub requires: Option<String>,
    /// The interpreter may fail by itself, without heaphint as well: such a run is repeated.
    pub unsteady: bool,
}

/// One figure of one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub place: Place,
    pub in_child: bool,
    /// `self.peak_bytes` for a line, `exit_code` for the session.
    pub figure: String,
    pub relation: Relation,
    pub value: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Session,
    /// A line of the subject itself.
    Line(u64),
    /// A line of a file beside the subject, or of one that is only a name.
    Elsewhere(String, u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    Exactly,
    About,
    AtLeast,
    AtMost,
}

impl Subject {
    /// Reads the comments of a Python file.
    ///
    /// # Panics
    /// When a comment is not understood: a statement that nobody checks would be worse.
    pub fn parse(source: &str) -> Self {
        let mut subject = Self::default();
        let mut waiting: Vec<Statement> = Vec::new();
        for (number, text) in (1u64..).zip(source.lines()) {
            let (code, comment) = text.split_once("# ").unwrap_or((text, ""));
            if let Some(why) = comment.strip_prefix("memray: ") {
                assert!(!why.is_empty(), "line {number} does not say why");
                if code.trim().is_empty() {
                    subject.memray_differs = true;
                } else {
                    subject.memray_differs_on.insert(number);
                }
            } else if comment.starts_with("unsteady: ") {
                subject.unsteady = true;
            } else if let Some(module) = comment.strip_prefix("requires: ") {
                subject.requires = Some(module.to_owned());
            } else if let Some(rest) = comment.strip_prefix("expect") {
                let (selector, items) = selector(rest).unwrap_or_else(|| panic!("line {number}: {text}"));
                let mut place = Place::Line(number);
                let mut in_child = false;
                match selector.split_whitespace().collect::<Vec<_>>()[..] {
                    [] => {}
                    ["in", "child"] => in_child = true,
                    ["session"] => place = Place::Session,
                    ["file", .., "line", line] => {
                        let name = selector.split('"').nth(1).expect("a file's name stands in quotes");
                        place = Place::Elsewhere(name.to_owned(), line.parse().expect("a line number"));
                    }
                    _ => panic!("line {number}: `{selector}` is no place to expect something"),
                }
                for item in items.split_whitespace() {
                    let statement = statement(place.clone(), in_child, item);
                    let ahead = code.trim().is_empty() && matches!(place, Place::Line(_));
                    if ahead { &mut waiting } else { &mut subject.statements }.push(statement);
                }
            }
            if !code.trim().is_empty() {
                for statement in &mut waiting {
                    statement.place = Place::Line(number);
                }
                subject.statements.append(&mut waiting);
            }
        }
        assert!(waiting.is_empty(), "the last expectation stands before no line of code");
        subject
    }

    /// The complaints of a check, which is repeated when the interpreter itself may have been the reason.
    pub fn attempt(&self, check: impl Fn() -> Vec<String>) -> Vec<String> {
        let attempts = if self.unsteady { 3 } else { 1 };
        let mut complaints = Vec::new();
        for _ in 0..attempts {
            complaints = check();
            if complaints.is_empty() {
                break;
            }
        }
        complaints
    }
}

/// Splits ` file "<a: b>" line 2: x=1` at the colon that ends the place.
fn selector(text: &str) -> Option<(&str, &str)> {
    let quoted = text.rfind('"').unwrap_or(0);
    let colon = quoted + text[quoted..].find(':')?;
    Some((text[..colon].trim(), &text[colon + 1..]))
}

fn statement(place: Place, in_child: bool, item: &str) -> Statement {
    let relations = [
        (">=", Relation::AtLeast),
        ("<=", Relation::AtMost),
        ("~", Relation::About),
        ("=", Relation::Exactly),
    ];
    let (figure, value, relation) = relations
        .iter()
        .find_map(|(sign, relation)| item.split_once(sign).map(|(figure, value)| (figure, value, *relation)))
        .unwrap_or_else(|| panic!("`{item}` has no relation"));
    Statement { place, in_child, figure: figure.to_owned(), relation, value: value.to_owned() }
}

impl Statement {
    /// What `document` (the JSON of `heaphint lines`) says instead; `None` when the statement holds. `script` is
    /// the subject's absolute path.
    pub fn contradiction(&self, document: &Value, script: &str, captures: usize) -> Option<String> {
        let found = match &self.place {
            Place::Session if self.figure == "captures" => Value::from(captures),
            Place::Session => document["session"][&self.figure].clone(),
            Place::Line(line) => figure(document, script, *line, &self.figure),
            Place::Elsewhere(file, line) => {
                // Beside the subject, or a name that is no path.
                let beside = Path::new(script).with_file_name(file);
                let is_path = file.ends_with(".py");
                let file = if is_path { beside.to_str().expect("paths are text") } else { file };
                figure(document, file, *line, &self.figure)
            }
        };
        let python = document["session"]["python"].as_str().unwrap_or_default();
        let holds = match (found.as_u64(), self.bytes(python)) {
            (Some(found), Some(value)) => match self.relation {
                Relation::Exactly => found == value,
                Relation::About => (value..value + SMALL).contains(&found),
                Relation::AtLeast => found >= value,
                Relation::AtMost => found <= value,
            },
            _ => serde_json::from_str(&self.value).is_ok_and(|value: Value| value == found),
        };
        (!holds).then(|| format!("{self}, but it is {found}"))
    }

    /// The value as a number, for a version of CPython.
    fn bytes(&self, python: &str) -> Option<u64> {
        let Some((content, blocks)) = self.value.split_once('+') else { return self.value.parse().ok() };
        let minor: Option<u64> = python.split('.').nth(1).and_then(|minor| minor.parse().ok());
        let more = if minor.is_some_and(|minor| minor >= 15) { 33 } else { 1 };
        Some(content.parse::<u64>().ok()? + blocks.parse::<u64>().ok()? * more)
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Session => write!(f, "session")?,
            Place::Line(line) => write!(f, "line {line}")?,
            Place::Elsewhere(file, line) => write!(f, "{file} line {line}")?,
        }
        let sign = match self.relation {
            Relation::Exactly => "=",
            Relation::About => "~",
            Relation::AtLeast => ">=",
            Relation::AtMost => "<=",
        };
        let child = if self.in_child { " in the child" } else { "" };
        write!(f, "{child}: {}{sign}{}", self.figure, self.value)
    }
}

/// One figure of a line, for instance `self.peak_bytes`; 0 for a line that is not there.
///
/// # Panics
/// When the document has the line twice or lacks the figure.
pub fn figure(document: &Value, file: &str, line: u64, name: &str) -> Value {
    let (scope, figure) = name.split_once('.').expect("a line's figure has a scope");
    let files = document["files"].as_array().expect("`files` is a list");
    let lines = files.iter().filter(|it| it["path"] == file);
    let mut found = lines
        .flat_map(|it| it["lines"].as_array().expect("`lines` is a list"))
        .filter(|it| it["line"].as_u64() == Some(line));
    let Some(entry) = found.next() else { return Value::from(0) };
    assert!(found.next().is_none(), "{file} line {line} is there twice");
    let value = entry[scope][figure].clone();
    assert!(value.is_u64(), "{file} line {line} has no {name}: {entry}");
    value
}

#[test]
fn comments_are_statements() {
    let subject = Subject::parse(
        "x = f()  # expect: self.peak_bytes=5 total.max_bytes>=7\n\
         # expect: self.leaked_bytes~9\n\n\
         # expect in child: self.peak_bytes<=1\n\
         y = 2\n\
         # expect session: complete=true\n\
         # expect file \"<a: 1>\" line 3: total.peak_count=2\n\
         # memray: cannot\n",
    );
    let text: Vec<String> = subject.statements.iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "line 1: self.peak_bytes=5",
            "line 1: total.max_bytes>=7",
            "line 5: self.leaked_bytes~9",
            "line 5 in the child: self.peak_bytes<=1",
            "session: complete=true",
            "<a: 1> line 3: total.peak_count=2",
        ]
    );
    assert!(subject.memray_differs);
}

#[test]
fn a_bytearray_needs_more_from_3_15_on() {
    let statement = &Subject::parse("x  # expect: self.peak_bytes=100+2").statements[0];
    assert_eq!(
        ["3.9.1", "3.14.0", "3.15.2"].map(|it| statement.bytes(it)),
        [Some(102), Some(102), Some(166)]
    );
}

#[test]
fn a_wrong_figure_contradicts() {
    let document = serde_json::json!({
        "session": {"exit_code": 3, "complete": false},
        "files": [{"path": "/x/a.py", "lines": [{"line": 2, "self": {"peak_bytes": 10_005}}]}],
    });
    let holds = |text: &str| {
        let statements = Subject::parse(text).statements;
        statements.iter().all(|it| it.contradiction(&document, "/x/a.py", 2).is_none())
    };
    for right in [
        "\nx  # expect: self.peak_bytes=10005",
        "\nx  # expect: self.peak_bytes=10000+5",
        "\nx  # expect: self.peak_bytes~10000",
        "\nx  # expect: self.peak_bytes>=10005",
        "x  # expect: self.peak_bytes=0",
        "# expect session: exit_code=3 complete=false captures=2",
    ] {
        assert!(holds(right), "{right}");
    }
    for wrong in [
        "\nx  # expect: self.peak_bytes=10004",
        "\nx  # expect: self.peak_bytes~10006",
        "\nx  # expect: self.peak_bytes~5",
        "\nx  # expect: self.peak_bytes<=10004",
        "x  # expect: self.peak_bytes=1",
        "# expect session: exit_code=4",
        "# expect session: complete=true",
        "# expect session: captures=1",
    ] {
        assert!(!holds(wrong), "{wrong}");
    }
}
