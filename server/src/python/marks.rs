//! Pytest's marks that limit memory: `@pytest.mark.limit_memory("24 MB")`. What their sizes mean is read elsewhere.

use std::ops::Range;

use tree_sitter::Node;

/// A mark that limits tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitMark {
    /// What it limits.
    pub kind: MarkKind,
    /// The size as it is written, when it is a plain string.
    pub size: Option<String>,
    /// Byte range of the size within its quotes, or of the whole mark.
    pub range: Range<usize>,
    /// Indexes in [`super::Outline::functions`] of the functions that it is about.
    pub functions: Vec<usize>,
}

/// What a mark limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// What the test holds at any one moment.
    Memory,
    /// What each line still held at the end.
    Leaks,
}

impl MarkKind {
    /// Its name in Python.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "limit_memory",
            Self::Leaks => "limit_leaks",
        }
    }
}

/// A mark before it is known which functions it is about.
#[derive(Debug, Clone)]
pub(super) struct WrittenMark {
    pub(super) kind: MarkKind,
    pub(super) size: Option<String>,
    pub(super) range: Range<usize>,
}

/// The marks of the decorators of a function or class.
pub(super) fn of_definition(definition: Node<'_>, text: &str) -> Vec<WrittenMark> {
    let Some(decorated) = definition.parent().filter(|parent| parent.kind() == "decorated_definition") else {
        return Vec::new();
    };
    let mut cursor = decorated.walk();
    let decorators = decorated.children(&mut cursor).filter(|child| child.kind() == "decorator");
    decorators.filter_map(|decorator| mark(decorator.named_child(0)?, text)).collect()
}

/// The marks of `pytestmark = …`, which holds one or a list of them.
pub(super) fn of_assignment(assignment: Node<'_>, text: &str) -> Vec<WrittenMark> {
    let Some(right) = assigned(assignment, text) else { return Vec::new() };
    if matches!(right.kind(), "list" | "tuple") {
        let mut cursor = right.walk();
        return right.named_children(&mut cursor).filter_map(|item| mark(item, text)).collect();
    }
    mark(right, text).into_iter().collect()
}

/// Whether `pytestmark = …` gives tests cases.
pub(super) fn is_parametrization(assignment: Node<'_>, text: &str) -> bool {
    let marks = assigned(assignment, text).and_then(|right| text.get(right.byte_range()));
    marks.is_some_and(|marks| marks.contains("parametrize"))
}

/// What is assigned to `pytestmark`.
fn assigned<'t>(assignment: Node<'t>, text: &str) -> Option<Node<'t>> {
    let left = assignment.child_by_field_name("left")?;
    let is_marks = text.get(left.byte_range()) == Some("pytestmark");
    assignment.child_by_field_name("right").filter(|_| is_marks)
}

/// A call of a mark: `pytest.mark.limit_memory("24 MB")`, `mark.limit_leaks("1 MB")`.
fn mark(call: Node<'_>, text: &str) -> Option<WrittenMark> {
    if call.kind() != "call" {
        return None;
    }
    let name = text.get(call.child_by_field_name("function")?.byte_range())?;
    let mut parts = name.rsplit('.').map(str::trim);
    let (name, of) = (parts.next()?, parts.next()?);
    let kind =
        [MarkKind::Memory, MarkKind::Leaks].into_iter().find(|kind| kind.name() == name && of == "mark")?;
    let size = call
        .child_by_field_name("arguments")
        .and_then(size_argument)
        .and_then(|node| plain_string(node, text));
    Some(match size {
        Some((size, range)) => WrittenMark { kind, size: Some(size), range },
        None => WrittenMark { kind, size: None, range: call.byte_range() },
    })
}

/// The first argument, which has no other name; the others are options.
fn size_argument(arguments: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = arguments.walk();
    arguments.named_children(&mut cursor).find(|argument| argument.kind() != "comment")
}

/// The text of a string that is written out in one piece.
pub(super) fn plain_string(node: Node<'_>, text: &str) -> Option<(String, Range<usize>)> {
    let (first, last) = (node.child(0)?, node.child(node.child_count().checked_sub(1)?)?);
    if node.kind() != "string" || first.kind() != "string_start" || last.kind() != "string_end" {
        return None;
    }
    let is_formatted = text.get(first.byte_range())?.contains(['f', 'F', 'b', 'B']);
    let range = first.end_byte()..last.start_byte();
    (!is_formatted).then(|| Some((text.get(range.clone())?.to_owned(), range)))?
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Outline;

    const SOURCE: &str = r#"
import pytest
from pytest import mark

pytestmark = [pytest.mark.slow, pytest.mark.limit_leaks("9 MB")]

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.limit_memory("24 MB", current_thread_only=True)
def test_a(n): pass

@mark.limit_leaks('1 MB')
class TestB:
    def test_c(self): pass
    def helper(self): pass
    class TestD:
        @pytest.mark.limit_memory(LIMIT)
        def test_e(self): pass

@mylib.limit_memory("1 MB")
@pytest.mark.limit_memory
@pytest.mark.limit_memory(f"{5} MB")
def test_f(): "@pytest.mark.limit_memory('2 MB')"
"#;

    #[test]
    fn marks_are_about_their_tests() {
        let outline = Outline::parse(SOURCE, Path::new("test_x.py"));
        let seen: Vec<_> = outline
            .marks
            .iter()
            .map(|mark| {
                let names = mark.functions.iter().map(|index| outline.functions[*index].name.as_str());
                (mark.kind.name(), mark.size.as_deref(), names.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("limit_leaks", Some("9 MB"), vec!["test_a", "test_c", "test_e", "test_f"]),
                ("limit_memory", Some("24 MB"), vec!["test_a"]),
                ("limit_leaks", Some("1 MB"), vec!["test_c", "test_e"]),
                ("limit_memory", None, vec!["test_e"]),
                ("limit_memory", None, vec!["test_f"]),
            ]
        );
        assert_eq!(&SOURCE[outline.marks[1].range.clone()], "24 MB");
        assert_eq!(&SOURCE[outline.marks[3].range.clone()], "pytest.mark.limit_memory(LIMIT)");
    }
}
