//! What a cell says to Python alone: commands to the notebook itself are left out, and every line stays where it is.

use crate::python::is_valid;

/// Commands for a whole cell after which the rest is still Python.
const AROUND_PYTHON: [&str; 4] = ["time", "timeit", "capture", "prun"];

/// A cell as a program. Text that Python can read is not touched.
pub fn plain_python(cell: &str) -> String {
    if is_valid(cell) {
        return cell.to_owned();
    }
    let first = cell.trim_start();
    if let Some(command) = first.strip_prefix("%%") {
        let name = command.split_whitespace().next().unwrap_or_default();
        if !AROUND_PYTHON.contains(&name) {
            return each_line(cell, |line| format!("# {line}"));
        }
    }
    let is_command = |text: &str| text.starts_with(['%', '!', '?']) || text.ends_with('?');
    each_line(cell, |line| {
        let text = line.trim();
        let indent = &line[..line.len() - line.trim_start().len()];
        if is_command(text) { format!("{indent}pass  # {text}") } else { line.to_owned() }
    })
}

fn each_line(text: &str, change: impl Fn(&str) -> String) -> String {
    let changed = text.split_inclusive('\n').map(|line| {
        let content = line.trim_end_matches(['\n', '\r']);
        change(content) + &line[content.len()..]
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_are_left_out() {
        assert_eq!(plain_python("%matplotlib inline\nx = 1\n"), "pass  # %matplotlib inline\nx = 1\n");
        assert_eq!(plain_python("if x:\n    !ls\r\ny?"), "if x:\n    pass  # !ls\r\npass  # y?");
        assert_eq!(plain_python("%%time\nx = 1"), "pass  # %%time\nx = 1");
        assert_eq!(plain_python("%%bash\nls\n\n"), "# %%bash\n# ls\n# \n");
        for same in ["x = (7\n% 2)\n", "text = '''\n%time\n!ls\n'''\n", "", "def f(:\n"] {
            assert_eq!(plain_python(same), same);
        }
    }
}
