//! CPython's own tests have the same outcomes under heaphint as without it. `suites/suites.py` compares all of them; here
//! are those that take seconds.

use std::process::Command;

use crate::support::interpreter::{Interpreter, say};
use crate::support::playground::tests_folder;
use crate::support::process::run;

const MODULES: &str = "test_list,test_dict,test_generators,test_coroutines,test_mmap,test_gc";

#[test]
fn tests_of_python_itself_have_the_same_outcomes() {
    let has_tests = |it: &Interpreter| {
        run(Command::new(&it.path).args(["-c", "import test.test_list, test.libregrtest"]), "").code == 0
    };
    let Some(interpreter) = Interpreter::all().into_iter().find(has_tests) else {
        say("SKIPPED tests of Python itself: no interpreter here comes with them");
        return;
    };
    let mut suites = Command::new(&interpreter.path);
    suites.arg(tests_folder().join("suites/suites.py")).args(["--heaphint", env!("CARGO_BIN_EXE_heaphint")]);
    suites.args(["--modules", MODULES]).env("PYTHONDONTWRITEBYTECODE", "1");
    let outcome = run(&mut suites, "");
    assert_eq!(outcome.code, 0, "{}", outcome.text());
}
