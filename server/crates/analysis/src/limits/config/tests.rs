//! What files say, and what is wrong with them.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> (Vec<Limit>, Vec<(u32, String)>) {
    let config = parse_config(ConfigFile::Pyproject, text, "/p/pyproject.toml", "/p");
    let problems = config.problems.into_iter().map(|problem| (problem.source.line, problem.message));
    (config.limits, problems.collect())
}

#[test]
fn limits_know_their_line() {
    let (limits, problems) = parse(
        "[project]\nname = \"x\"\n\n[tool.heaphint]\npeak = \"512 MB\"\n\n[[tool.heaphint.limits]]\n\
         files = \"app/*.py\"\nfunction = \"load\"\nbytes = \"50 MB\"\n\n[[tool.heaphint.limits]]\n\
         files = \"**/x.py\"\nbytes = \"1 GiB\"\n",
    );
    assert_eq!(problems, []);
    let seen: Vec<_> = limits.iter().map(|limit| (limit.source.line, limit.bound)).collect();
    assert_eq!(seen, [(5, Bound::Held(512 << 20)), (10, Bound::Held(50 << 20)), (14, Bound::Held(1 << 30))]);
    assert_eq!(limits[0].source.column, 8);
    let Scope::Functions { files, name } = &limits[1].scope else { panic!("a function's limit") };
    assert!(name.matches("load", "Store.load"));
    assert!(files.matches("/p/app/a.py"));
    assert!(!files.matches("/p/app/sub/a.py"));
    assert!(!files.matches("/q/app/a.py"));
    let Scope::Lines { files } = &limits[2].scope else { panic!("a limit of lines") };
    assert!(files.matches("/p/deep/er/x.py") && files.matches("/p/x.py"));
}

#[test]
fn every_kind_of_limit_can_be_written() {
    let text = "peak = \"1 GB\"\nrss = \"2 GB\"\nleaks = \"1 MB\"\nallocations = 1_000\n\
                growth = \"5 % or 2 MiB\"\nbaseline = \"ci/accepted.json\"\nrun.nightly.script = \"app.py\"\n\
                [[limits]]\nimport = \"app.cli\"\nbytes = \"60 MiB\"\nallocations = 0x10\n\
                [[limits]]\ntest = \"tests/test_a.py::TestB::test_c[1]\"\nbytes = \"24 MB\"\npeak = \"1 GB\"\n\
                [[limits]]\nfunction = \"load\"\ngrowth = \"2 MiB\"\nrun = \"nightly\"\ncommand = \"app.py *\"\n";
    let config = parse_config(ConfigFile::Heaphint, text, "/p/heaphint.toml", "/p");
    assert_eq!(config.problems, []);
    assert_eq!(config.baseline.as_deref(), Some("ci/accepted.json"));
    assert_eq!(config.runs, ["nightly"]);
    let bounds: Vec<_> = config.limits.iter().map(|limit| limit.bound).collect();
    assert_eq!(
        bounds[..7],
        [
            Bound::Held(1 << 30),
            Bound::Resident(2 << 30),
            Bound::Leaked(1 << 20),
            Bound::Allocations(1000),
            Bound::Growth(Growth::parse("5 % or 2 MiB").unwrap()),
            Bound::Held(60 << 20),
            Bound::Allocations(16),
        ]
    );
    let Scope::Functions { files, name } = &config.limits[7].scope else { panic!("a test's limit") };
    assert!(files.matches("/p/tests/test_a.py") && name.matches("test_c", "TestB.test_c"));
    assert!(config.limits[7].conditions.test.is_none());
    assert!(matches!(config.limits[8].scope, Scope::Process) && config.limits[8].conditions.test.is_some());
    assert_eq!(config.limits[9].conditions.run(), Some("nightly"));
}

#[test]
fn errors_know_their_line_and_spare_the_rest() {
    let (limits, problems) = parse(
        "[tool.heaphint]\npeak = \"512\"\nspeed = 1\n[[tool.heaphint.limits]]\nfiles = \"a[.py\"\nbytes = \"1 MB\"\n\
         [[tool.heaphint.limits]]\nfiles = 3\nbytes = 5\n[[tool.heaphint.limits]]\nfiles = \"a.py\"\n\
         [[tool.heaphint.limits]]\nfiles = \"a.py\"\nbytes = \"1 MB\"\n",
    );
    assert_eq!(limits.len(), 1);
    assert_eq!(limits[0].source.line, 14);
    let lines: Vec<_> = problems.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 5, 8, 9, 10]);
    for (index, text) in [
        (0, "`512` is not a size"),
        (1, "`speed` is not a setting"),
        (3, "`3` is none"),
        (4, "`5` is not a size"),
    ] {
        assert!(problems[index].1.contains(text), "{}", problems[index].1);
    }
    assert!(problems[5].1.contains("no `bytes`"), "{}", problems[5].1);
}

#[test]
fn what_does_not_go_together_is_said() {
    for (entry, said) in [
        ("bytes = \"1 MB\"", "write `peak`"),
        ("files = \"*.py\"\npeak = \"1 MB\"", "`peak` is about the whole process"),
        ("files = \"*.py\"\nimport = \"a\"\nbytes = \"1 MB\"", "write two limits"),
        ("files = \"*.py\"\ngrowth = \"5 %\"", "add `function`"),
        ("import = \"a\"\nleaks = \"1 MB\"", "not known of an import"),
        ("import = \"a/b\"\nbytes = \"1 MB\"", "`a/b` is not a module's name"),
        ("peak = \"1 MB\"\nallocations = 3.5", "`3.5` is not a number of allocations"),
        ("growth = \"5\"", "`5` is not an amount of growth"),
        ("peak = \"1 MB\"\nspeed = 3", "`speed` is not part of a limit"),
    ] {
        let (_, problems) = parse(&format!("[[tool.heaphint.limits]]\n{entry}\n"));
        assert_eq!(problems.len(), 1, "{entry}: {problems:?}");
        assert!(problems[0].1.contains(said) && problems[0].1.ends_with('.'), "{entry}: {}", problems[0].1);
    }
}

#[test]
fn a_file_without_us_has_no_limits() {
    for text in ["", "[tool.black]\nline-length = 3\n", "tool = 3\n"] {
        let (limits, problems) = parse(text);
        assert!(limits.is_empty() && problems.is_empty(), "{text}");
    }
    let (_, problems) = parse("[tool.heaphint]\npeak = \n");
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].0, 2);
}

proptest! {
    #[test]
    fn any_text_is_read(text in "(\\[+tool\\.heaphint(\\.limits)?\\]+|peak|files|import|test|growth|bytes|=|\"[a-z0-9 *%\\[]{0,6}\"|\n| ){0,20}") {
        let _ = parse(&text);
    }
}
