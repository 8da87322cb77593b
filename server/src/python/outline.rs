//! The outline of one file, made with tree-sitter, so that it also works while somebody is typing.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::Path;

use tree_sitter::{Node, Parser, TreeCursor};

use super::cases;
use super::comments::{LimitComment, LimitTarget, marked};
use super::lines::{line_of, line_starts};
use super::marks::{self, LimitMark, MarkKind, WrittenMark};

/// What a file holds. All lines are 1-based.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Functions and methods in the order of their first lines.
    pub functions: Vec<Function>,
    /// Tests that can be run one by one.
    pub tests: Vec<Test>,
    /// Classes whose tests can be run together.
    pub test_classes: Vec<Test>,
    /// The line of `if __name__ == "__main__":`.
    pub main_guard: Option<u32>,
    /// Comments for heaphint.
    pub comments: Vec<LimitComment>,
    /// Pytest's marks that limit memory, in the order of the file.
    pub marks: Vec<LimitMark>,
}

/// A function or method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// As Python's `__qualname__`: `Class.method`, `outer.<locals>.inner`.
    pub qualified_name: String,
    /// First line: the first decorator's, else `def_line`. Python calls it `co_firstlineno`.
    pub first_line: u32,
    /// The line of `def`.
    pub def_line: u32,
    /// The line on which the signature ends.
    pub signature_end_line: u32,
    /// Last line of the body.
    pub last_line: u32,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Test {
    /// As pytest writes it behind the file: `test_a`, `TestB::test_c`.
    pub name: String,
    /// Who can run it.
    pub runner: TestRunner,
    /// The line of `def` or `class`.
    pub line: u32,
    /// Cases that can be run one by one, as pytest writes them in brackets behind the name.
    pub cases: Vec<String>,
}

/// Who can run a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestRunner {
    /// Only pytest.
    Pytest,
    /// A method of a `unittest.TestCase`.
    Unittest,
}

impl Outline {
    /// Whether there may be comments or marks about limits in `text`: few files have any, and these words are found sooner
    /// than a text is parsed.
    #[must_use]
    pub fn may_limit(text: &str) -> bool {
        let words = ["heaphint:", MarkKind::Memory.name(), MarkKind::Leaks.name()];
        words.iter().any(|word| text.contains(word))
    }

    /// Reads `text`. `path` decides whether functions named `test…` are tests, as in pytest; see
    /// [`is_test_file`].
    #[must_use]
    pub fn parse(text: &str, path: &Path) -> Self {
        let mut parser = Parser::new();
        if parser.set_language(&tree_sitter_python::LANGUAGE.into()).is_err() {
            return Self::default();
        }
        let Some(tree) = parser.parse(text, None) else { return Self::default() };
        let mut reader = Reader {
            text,
            starts: line_starts(text),
            is_test_file: is_test_file(path),
            scopes: Vec::new(),
            marks: Vec::new(),
            parametrized: Parametrized::default(),
            outline: Self::default(),
        };
        reader.walk(tree.walk());
        reader.find_comment_targets();
        reader.find_marked_functions();
        reader.drop_uncertain_cases();
        reader.outline
    }

    /// The function whose `def` stands on this line, the outermost when there are several.
    #[must_use]
    pub fn function_at(&self, def_line: u32) -> Option<&Function> {
        let at = self.functions.partition_point(|function| function.def_line < def_line);
        self.functions.get(at).filter(|function| function.def_line == def_line)
    }

    /// The test, or the class of tests, with this name.
    #[must_use]
    pub fn test(&self, name: &str) -> Option<&Test> {
        self.tests.iter().chain(&self.test_classes).find(|test| test.name == name)
    }
}

/// Whether `text` is Python without a mistake.
#[must_use]
pub fn is_valid(text: &str) -> bool {
    let mut parser = Parser::new();
    let known = parser.set_language(&tree_sitter_python::LANGUAGE.into()).is_ok();
    known && parser.parse(text, None).is_some_and(|tree| !tree.root_node().has_error())
}

/// Whether pytest collects tests from a file of this name.
fn is_test_file(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.starts_with("test_") || stem.ends_with("_test")
}

/// What surrounds a node.
enum Scope {
    Class { name: String, is_test_case: bool, is_parametrized: bool, line: u32 },
    Function { name: String },
}

/// What takes part in the names of tests without being written at them.
#[derive(Default)]
struct Parametrized {
    /// Something that all tests of the file have.
    everything: bool,
    /// Fixtures by name.
    fixtures: HashSet<String>,
    /// The parameters of each test that has cases, by its index.
    parameters: Vec<(usize, HashSet<String>)>,
}

struct Reader<'a> {
    text: &'a str,
    starts: Vec<usize>,
    is_test_file: bool,
    scopes: Vec<Scope>,
    /// Marks, and the lines in which the functions are that they are about.
    marks: Vec<(WrittenMark, RangeInclusive<u32>)>,
    parametrized: Parametrized,
    outline: Outline,
}

impl Reader<'_> {
    /// Visits every node without recursion: sources can be nested deeper than a thread's stack.
    fn walk(&mut self, mut cursor: TreeCursor<'_>) {
        loop {
            self.enter(cursor.node());
            if cursor.goto_first_child() {
                continue;
            }
            loop {
                self.leave(cursor.node());
                if cursor.goto_next_sibling() {
                    break;
                }
                if !cursor.goto_parent() {
                    return;
                }
            }
        }
    }

    fn enter(&mut self, node: Node<'_>) {
        match node.kind() {
            "class_definition" => {
                let is_test_case = node.child_by_field_name("superclasses").is_some_and(|bases| {
                    self.slice(bases).split([',', '(', ')']).any(|b| b.trim().ends_with("TestCase"))
                });
                self.add_marks(marks::of_definition(node, self.text), node);
                let line = self.line(node.start_byte());
                let is_parametrized = cases::is_parametrized(node, self.text);
                self.scopes.push(Scope::Class { name: self.name(node), is_test_case, is_parametrized, line });
            }
            "function_definition" => {
                let name = self.name(node);
                self.add_marks(marks::of_definition(node, self.text), node);
                self.add_function(node, &name);
                self.scopes.push(Scope::Function { name });
            }
            "if_statement" if self.scopes.is_empty() && self.is_main_guard(node) => {
                let line = self.line(node.start_byte());
                self.outline.main_guard.get_or_insert(line);
            }
            "assignment" => {
                self.add_marks(marks::of_assignment(node, self.text), node);
                self.parametrized.everything |= marks::is_parametrization(node, self.text);
            }
            "comment" => self.add_comment(node),
            _ => {}
        }
    }

    fn leave(&mut self, node: Node<'_>) {
        if matches!(node.kind(), "class_definition" | "function_definition") {
            self.scopes.pop();
        }
    }

    fn add_function(&mut self, node: Node<'_>, name: &str) {
        let decorated = node.parent().filter(|parent| parent.kind() == "decorated_definition");
        let body = node.child_by_field_name("body");
        let def_line = self.line(node.start_byte());
        let mut qualified_name = String::new();
        for scope in &self.scopes {
            match scope {
                Scope::Class { name, .. } => qualified_name += &format!("{name}."),
                Scope::Function { name } => qualified_name += &format!("{name}.<locals>."),
            }
        }
        qualified_name += name;
        // The colon is the last child before the body and the comments between them.
        let mut cursor = node.walk();
        let colon = node.children(&mut cursor).filter(|child| child.kind() == ":").last();
        self.outline.functions.push(Function {
            name: name.to_owned(),
            qualified_name,
            first_line: self.line(decorated.unwrap_or(node).start_byte()),
            def_line,
            signature_end_line: colon.map_or(def_line, |colon| self.line(colon.start_byte())),
            last_line: self.line(body.unwrap_or(node).end_byte().saturating_sub(1)).max(def_line),
        });
        if cases::is_parametrized_fixture(node, self.text) {
            self.parametrized.everything |= cases::is_automatic(node, self.text);
            self.parametrized.fixtures.insert(name.to_owned());
        }
        self.parametrized.everything |= name == "pytest_generate_tests";
        self.add_test(name, def_line, node);
    }

    fn add_test(&mut self, name: &str, line: u32, node: Node<'_>) {
        if !name.starts_with("test") {
            return;
        }
        let mut path = Vec::new();
        let mut in_test_case = false;
        let mut class_line = None;
        let mut has_own_cases = true;
        for scope in &self.scopes {
            let Scope::Class { name, is_test_case, is_parametrized, line } = scope else { return };
            in_test_case = *is_test_case;
            has_own_cases &= !is_parametrized;
            class_line = Some(*line);
            path.push(name.as_str());
        }
        let collected = self.is_test_file && path.iter().all(|class| class.starts_with("Test"));
        if !in_test_case && !collected {
            return;
        }
        let runner = if in_test_case { TestRunner::Unittest } else { TestRunner::Pytest };
        if let Some(line) =
            class_line.filter(|line| self.outline.test_classes.iter().all(|c| c.line != *line))
        {
            self.outline.test_classes.push(Test { name: path.join("::"), runner, line, cases: Vec::new() });
        }
        path.push(name);
        let is_by_pytest = has_own_cases && runner == TestRunner::Pytest;
        let cases = if is_by_pytest { cases::of_test(node, self.text) } else { Vec::new() };
        if !cases.is_empty() {
            let parameters = cases::parameters(node, self.text);
            self.parametrized.parameters.push((self.outline.tests.len(), parameters));
        }
        self.outline.tests.push(Test { name: path.join("::"), runner, line, cases });
    }

    /// Marks of a function or class, or of an assignment, which is about the class or module around it.
    fn add_marks(&mut self, marks: Vec<WrittenMark>, node: Node<'_>) {
        if marks.is_empty() {
            return;
        }
        let mut about = Some(node);
        if node.kind() == "assignment" {
            about = std::iter::successors(node.parent(), |node| node.parent())
                .find(|node| matches!(node.kind(), "class_definition" | "function_definition"));
        }
        let lines = about.map_or(0..=u32::MAX, |node| {
            self.line(node.start_byte())..=self.line(node.end_byte().saturating_sub(1))
        });
        self.marks.extend(marks.into_iter().map(|mark| (mark, lines.clone())));
    }

    /// A mark of a function is about that; one of a class or module is about the tests in it.
    fn find_marked_functions(&mut self) {
        let Outline { functions, tests, marks, .. } = &mut self.outline;
        for (mark, lines) in self.marks.drain(..) {
            let begins = functions.iter().position(|function| function.def_line == *lines.start());
            let about: Vec<usize> = match begins {
                Some(function) => vec![function],
                None => (0..functions.len())
                    .filter(|index| lines.contains(&functions[*index].def_line))
                    .filter(|index| tests.iter().any(|test| test.line == functions[*index].def_line))
                    .collect(),
            };
            let WrittenMark { kind, size, range } = mark;
            marks.push(LimitMark { kind, size, range, functions: about });
        }
    }

    /// Names of cases are left out when something else takes part in them.
    fn drop_uncertain_cases(&mut self) {
        let Parametrized { everything, fixtures, parameters } = &self.parametrized;
        for (test, parameters) in parameters {
            if *everything || !parameters.is_disjoint(fixtures) {
                self.outline.tests[*test].cases.clear();
            }
        }
    }

    fn add_comment(&mut self, node: Node<'_>) {
        let ranges: Vec<_> = marked(self.slice(node)).collect();
        for range in ranges {
            let text = self.slice(node)[range.clone()].to_owned();
            let line = self.line(node.start_byte());
            let line_start = self.starts[line as usize - 1];
            let alone = self.text[line_start..node.start_byte()].trim().is_empty();
            self.outline.comments.push(LimitComment {
                line,
                range: node.start_byte() + range.start..node.start_byte() + range.end,
                text,
                target: if alone { LimitTarget::Nothing } else { LimitTarget::Line },
            });
        }
    }

    /// Comments of a signature belong to its function, which the walk may have met after them.
    fn find_comment_targets(&mut self) {
        let Outline { functions, comments, .. } = &mut self.outline;
        for comment in comments.iter_mut().filter(|comment| comment.target == LimitTarget::Line) {
            let signature =
                functions.iter().position(|f| (f.def_line..=f.signature_end_line).contains(&comment.line));
            if let Some(index) = signature {
                comment.target = LimitTarget::Function(index);
            }
        }
    }

    /// Whether an `if` runs only when the file is the program.
    fn is_main_guard(&self, node: Node<'_>) -> bool {
        let Some(condition) = node.child_by_field_name("condition") else { return false };
        let kept = |c: &char| !c.is_whitespace() && !matches!(c, '(' | ')');
        let plain: String = self.slice(condition).chars().filter(kept).collect();
        matches!(plain.replace('\'', "\"").as_str(), "__name__==\"__main__\"" | "\"__main__\"==__name__")
    }

    fn name(&self, node: Node<'_>) -> String {
        node.child_by_field_name("name").map_or_else(String::new, |name| self.slice(name).to_owned())
    }

    fn slice(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    fn line(&self, offset: usize) -> u32 {
        line_of(&self.starts, offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = r##"import unittest

@decorated(
    1,
)
def load(  # heaphint: limit 1 MiB
    path,
) -> None:  # heaphint: limit 2 MiB
    def inner(): return "# heaphint: limit 3 MiB"
    x = 1  # heaphint: limit 4 MiB
    # heaphint: limit 5 MiB

class TestA:
    async def test_b(self):
        pass
    def other(self): pass

class C(unittest.TestCase):
    def test_d(self): pass

def test_e():
    def test_local(): pass

if (__name__ == '__main__'):
    load(1)
"##;

    #[test]
    fn functions_have_python_names_and_lines() {
        let outline = Outline::parse(SOURCE, Path::new("app.py"));
        let names: Vec<_> = outline.functions.iter().map(|f| f.qualified_name.as_str()).collect();
        assert_eq!(
            names,
            [
                "load",
                "load.<locals>.inner",
                "TestA.test_b",
                "TestA.other",
                "C.test_d",
                "test_e",
                "test_e.<locals>.test_local"
            ]
        );
        let load = &outline.functions[0];
        assert_eq!((load.first_line, load.def_line, load.signature_end_line, load.last_line), (3, 6, 8, 11));
        assert_eq!(outline.main_guard, Some(24));
        assert_eq!(outline.function_at(6), Some(load));
        assert_eq!(outline.function_at(7), None);
    }

    #[test]
    fn tests_follow_pytest_and_unittest() {
        let names = |path: &str| -> Vec<String> {
            Outline::parse(SOURCE, Path::new(path)).tests.into_iter().map(|t| t.name).collect()
        };
        assert_eq!(names("test_app.py"), ["TestA::test_b", "C::test_d", "test_e"]);
        assert_eq!(names("app.py"), ["C::test_d"]);
        let outline = Outline::parse(SOURCE, Path::new("app_test.py"));
        let classes: Vec<_> = outline.test_classes.iter().map(|c| (c.name.as_str(), c.line)).collect();
        assert_eq!(classes, [("TestA", 13), ("C", 18)]);
        assert_eq!(outline.test("C").map(|t| t.runner), Some(TestRunner::Unittest));
        assert_eq!(outline.test("C::test_d").map(|t| t.runner), Some(TestRunner::Unittest));
        assert_eq!(outline.test("test_e").map(|t| t.runner), Some(TestRunner::Pytest));
    }

    #[test]
    fn only_real_comments_limit() {
        let outline = Outline::parse(SOURCE, Path::new("app.py"));
        let comments: Vec<_> =
            outline.comments.iter().map(|c| (c.line, c.text.as_str(), c.target.clone())).collect();
        assert_eq!(
            comments,
            [
                (6, "# heaphint: limit 1 MiB", LimitTarget::Function(0)),
                (8, "# heaphint: limit 2 MiB", LimitTarget::Function(0)),
                (10, "# heaphint: limit 4 MiB", LimitTarget::Line),
                (11, "# heaphint: limit 5 MiB", LimitTarget::Nothing),
            ]
        );
    }

    #[test]
    fn half_written_and_deeply_nested_sources_are_read() {
        let outline = Outline::parse("def a():\n    x = (\ndef b(): pass\n", Path::new("a.py"));
        assert!(outline.functions.iter().any(|f| f.name == "a"));
        let deep = "(".repeat(20_000);
        assert_eq!(Outline::parse(&deep, Path::new("a.py")).functions, []);
    }
}
