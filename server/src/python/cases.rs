//! The cases of parametrized tests, by the names that pytest gives them: `test_a[1-x]`.
//!
//! Only what is written out is read. Where one name is not certain, none is told: the whole test can still be run.

use std::collections::HashSet;

use tree_sitter::Node;

use super::marks::plain_string;

/// Tests with more cases than this are run as a whole.
const MOST: usize = 20;

/// The names of the cases of a test, without the brackets; none when it has no cases or not all are known.
pub(super) fn of_test(function: Node<'_>, text: &str) -> Vec<String> {
    let sets: Option<Vec<Vec<String>>> =
        parametrizations(function, text).map(|call| names(call, text)).collect();
    // The innermost decorator comes first, and is what changes least often.
    let mut sets = sets.unwrap_or_default().into_iter().rev();
    let Some(first) = sets.next() else { return Vec::new() };
    let all = sets.fold(first, |all, set| {
        all.iter().flat_map(|before| set.iter().map(move |name| format!("{before}-{name}"))).collect()
    });
    if all.len() > MOST { Vec::new() } else { all }
}

/// Whether the tests of a class, or those after an assignment of marks, have names that are told elsewhere.
pub(super) fn is_parametrized(definition: Node<'_>, text: &str) -> bool {
    parametrizations(definition, text).next().is_some()
}

/// Whether a function is a fixture with cases of its own, which get into the names of its tests.
pub(super) fn is_parametrized_fixture(function: Node<'_>, text: &str) -> bool {
    has_fixture_argument(function, "params", text)
}

/// Whether a fixture is one of tests that do not name it.
pub(super) fn is_automatic(fixture: Node<'_>, text: &str) -> bool {
    has_fixture_argument(fixture, "autouse", text)
}

fn has_fixture_argument(function: Node<'_>, argument_name: &str, text: &str) -> bool {
    decorators(function).any(|call| {
        let name = call.child_by_field_name("function").and_then(|name| text.get(name.byte_range()));
        name.is_some_and(|name| name.ends_with("fixture"))
            && argument(call, usize::MAX, argument_name, text).is_some()
    })
}

/// The names of a function's parameters.
pub(super) fn parameters(function: Node<'_>, text: &str) -> HashSet<String> {
    let Some(list) = function.child_by_field_name("parameters") else { return HashSet::new() };
    let mut cursor = list.walk();
    let names = list.named_children(&mut cursor).filter_map(|node| match node.kind() {
        "identifier" => Some(node),
        "typed_parameter" => node.named_child(0),
        _ => None,
    });
    names.filter_map(|name| Some(text.get(name.byte_range())?.to_owned())).collect()
}

/// The decorators of a function or class that are calls, the outermost first.
fn decorators(definition: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let decorated = definition.parent().filter(|parent| parent.kind() == "decorated_definition");
    let count = decorated.map_or(0, |decorated| decorated.child_count());
    (0..count)
        .filter_map(move |index| decorated?.child(index))
        .filter(|child| child.kind() == "decorator")
        .filter_map(|decorator| decorator.named_child(0))
        .filter(|call| call.kind() == "call")
}

fn parametrizations<'t>(definition: Node<'t>, text: &'t str) -> impl Iterator<Item = Node<'t>> {
    decorators(definition).filter(|call| {
        let name = call.child_by_field_name("function").and_then(|name| text.get(name.byte_range()));
        name.is_some_and(|name| name.rsplit('.').next().is_some_and(|last| last.trim() == "parametrize"))
    })
}

/// An argument of a call by its place or name.
fn argument<'t>(call: Node<'t>, place: usize, name: &str, text: &str) -> Option<Node<'t>> {
    let all = items(call.child_by_field_name("arguments")?);
    let by_name = all.iter().filter(|argument| argument.kind() == "keyword_argument").find(|argument| {
        argument.child_by_field_name("name").and_then(|n| text.get(n.byte_range())) == Some(name)
    });
    match by_name {
        Some(argument) => argument.child_by_field_name("value"),
        None => all.get(place).copied().filter(|argument| argument.kind() != "keyword_argument"),
    }
}

fn items(list: Node<'_>) -> Vec<Node<'_>> {
    let mut cursor = list.walk();
    list.named_children(&mut cursor).filter(|item| item.kind() != "comment").collect()
}

/// The items of a list or tuple that is written out.
fn listed(node: Node<'_>) -> Option<Vec<Node<'_>>> {
    matches!(node.kind(), "list" | "tuple").then(|| items(node))
}

/// The names that `parametrize(names, values, ids=…)` gives.
fn names(call: Node<'_>, text: &str) -> Option<Vec<String>> {
    let names = argument(call, 0, "argnames", text)?;
    let parameters: Vec<String> = match listed(names) {
        Some(list) => {
            list.into_iter().map(|name| Some(plain_string(name, text)?.0)).collect::<Option<_>>()?
        }
        None => plain_string(names, text)?.0.split(',').map(|name| name.trim().to_owned()).collect(),
    };
    let values = listed(argument(call, 1, "argvalues", text)?)?;
    let given = match argument(call, 3, "ids", text) {
        Some(ids) if ids.kind() != "none" => Some(listed(ids)?),
        _ => None,
    };
    let mut names = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let given = match &given {
            Some(given) => Some(*given.get(index)?).filter(|given| given.kind() != "none"),
            None => None,
        };
        names.push(match given {
            Some(given) => name_of_text(given, text)?,
            None => name_of_case(value, &parameters, index, text)?,
        });
    }
    // pytest tells equal names apart in ways that differ between its versions.
    let distinct: HashSet<&String> = names.iter().collect();
    (distinct.len() == names.len()).then_some(names)
}

fn name_of_case(value: Node<'_>, parameters: &[String], index: usize, text: &str) -> Option<String> {
    let mut values = vec![value];
    if value.kind() == "call" {
        // `pytest.param(1, 2, id="x")`
        let name = text.get(value.child_by_field_name("function")?.byte_range())?;
        if name.rsplit('.').next() != Some("param") {
            return None;
        }
        if let Some(id) = argument(value, usize::MAX, "id", text).filter(|id| id.kind() != "none") {
            return name_of_text(id, text);
        }
        values = items(value.child_by_field_name("arguments")?);
        values.retain(|argument| argument.kind() != "keyword_argument");
    } else if parameters.len() != 1 {
        values = listed(value)?;
    }
    if values.len() != parameters.len() {
        return None;
    }
    let names = values.iter().zip(parameters).map(|(value, of)| name_of_value(*value, of, index, text));
    Some(names.collect::<Option<Vec<_>>>()?.join("-"))
}

/// What pytest calls a value that is written out.
fn name_of_value(value: Node<'_>, parameter: &str, index: usize, text: &str) -> Option<String> {
    let written = text.get(value.byte_range())?;
    match value.kind() {
        "string" => name_of_text(value, text),
        "integer" => number(written),
        "float" => is_usual(written).then(|| written.to_owned()),
        "unary_operator" => {
            let of = value.child_by_field_name("argument")?;
            let plain = name_of_value(of, parameter, index, text)?;
            let is_number = matches!(of.kind(), "integer" | "float") && written.starts_with('-');
            (is_number && plain != "0").then(|| format!("-{plain}"))
        }
        "true" | "false" | "none" => Some(written.to_owned()),
        "parenthesized_expression" => name_of_value(value.named_child(0)?, parameter, index, text),
        "list" | "tuple" | "dictionary" | "set" => Some(format!("{parameter}{index}")),
        _ => None,
    }
}

/// A string as it is; those that pytest would write with escapes are left out.
fn name_of_text(node: Node<'_>, text: &str) -> Option<String> {
    let (name, _) = plain_string(node, text)?;
    let is_plain = |c: char| c.is_ascii_graphic() && c != '\\' || c == ' ';
    name.chars().all(is_plain).then_some(name)
}

/// A whole number as Python writes it.
fn number(written: &str) -> Option<String> {
    let digits = written.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match digits.as_bytes() {
        [b'0', b'x', ..] => (&digits[2..], 16),
        [b'0', b'o', ..] => (&digits[2..], 8),
        [b'0', b'b', ..] => (&digits[2..], 2),
        _ => (&digits[..], 10),
    };
    u128::from_str_radix(digits, radix).ok().map(|number| number.to_string())
}

/// Whether Python writes this number in the same way.
fn is_usual(written: &str) -> bool {
    let Some((whole, part)) = written.split_once('.') else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = digits(whole) && digits(part) && whole.len() + part.len() <= 15;
    is_short
        && (whole == "0" || !whole.starts_with('0'))
        && (part == "0" || !part.ends_with('0'))
        && !(whole == "0" && part.starts_with("0000"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Outline;

    fn cases(decorators: &str, signature: &str) -> Vec<String> {
        let text = format!("import pytest\n{decorators}\ndef test_a({signature}): pass\n");
        Outline::parse(&text, Path::new("test_x.py")).tests.remove(0).cases
    }

    #[test]
    fn literal_values_have_the_names_of_pytest() {
        let one = |values: &str| cases(&format!("@pytest.mark.parametrize('x', {values})"), "x");
        assert_eq!(one("[1, -2, 0x10, 1_000]"), ["1", "-2", "16", "1000"]);
        assert_eq!(
            one("(1.5, 0.0, -2.25, True, None, 'a b', \"c\")"),
            ["1.5", "0.0", "-2.25", "True", "None", "a b", "c"]
        );
        assert_eq!(one("[[1], {}, (1, 2), {3}, # a remark\n (4)]"), ["x0", "x1", "x2", "x3", "4"]);
        assert_eq!(one("[pytest.param(1, id='one'), pytest.param(2, marks=pytest.mark.slow)]"), ["one", "2"]);
        assert_eq!(one("[1, 2], ids=['one', None]"), ["one", "2"]);
        assert_eq!(
            cases("@pytest.mark.parametrize(argvalues=[(1, 'a')], argnames=['x', 'y'])", "x, y"),
            ["1-a"]
        );
        assert_eq!(cases("@pytest.mark.parametrize('x, y', [(1, [2]), [3, 4]])", "x, y"), ["1-y0", "3-4"]);
    }

    #[test]
    fn several_decorators_are_multiplied_from_the_innermost() {
        let both = "@pytest.mark.parametrize('x', [0, 1])\n@pytest.mark.parametrize('y', ['a', 'b'])";
        assert_eq!(cases(both, "x, y"), ["a-0", "a-1", "b-0", "b-1"]);
    }

    #[test]
    fn names_that_are_not_certain_are_not_told() {
        let one = |values: &str| cases(&format!("@pytest.mark.parametrize('x', {values})"), "x");
        for values in [
            "VALUES",
            "range(3)",
            "[1, other]",
            "[1, 1]",
            "['é']",
            "['\\n']",
            "[f'{x}']",
            "[1e5]",
            "[0.10]",
            "[0.00001]",
            "[object()]",
            "[1, 2], ids=str",
            "[*others]",
            "[1 + 1]",
        ] {
            assert_eq!(one(values), Vec::<String>::new(), "{values}");
        }
        assert_eq!(one(&format!("{:?}", (0..21).collect::<Vec<_>>())), Vec::<String>::new());
        assert_eq!(cases("@pytest.mark.slow", "x"), Vec::<String>::new());
    }

    #[test]
    fn what_is_parametrized_around_a_test_takes_part_in_its_name() {
        let names = |around: &str, test: &str| {
            let text = format!("import pytest\n{around}\n{test}");
            let tests = Outline::parse(&text, Path::new("test_x.py")).tests;
            tests.into_iter().map(|test| test.cases.len()).collect::<Vec<_>>()
        };
        let test = "@pytest.mark.parametrize('x', [1, 2])\ndef test_a(x, f): pass\n";
        assert_eq!(names("@pytest.fixture\ndef f(): pass", test), [2]);
        assert_eq!(names("@pytest.fixture(params=[1, 2])\ndef f(): pass", test), [0]);
        assert_eq!(names("@pytest.fixture(params=[1, 2])\ndef g(): pass", test), [2]);
        assert_eq!(names("@pytest.fixture(params=[1, 2], autouse=True)\ndef g(): pass", test), [0]);
        assert_eq!(names("pytestmark = pytest.mark.parametrize('f', [1])", test), [0]);
        assert_eq!(names("def pytest_generate_tests(metafunc): pass", test), [0]);
        let method = "    @pytest.mark.parametrize('x', [1, 2])\n    def test_a(self, x, f): pass\n";
        assert_eq!(names("class TestA:", method), [2]);
        assert_eq!(names("@pytest.mark.parametrize('f', [1, 2])\nclass TestA:", method), [0]);
    }
}
