//! Processes that a program forks or starts: each that is Python has a capture of its own with its own figures, knows who
//! started it, and behaves as without heaphint; programs that are not Python see nothing of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::subjects::complaints;
use crate::support::interpreter::{Interpreter, announce};
use crate::support::playground::tracer_library;
use crate::support::process::{Outcome, run};

/// What every program holds, it holds by this: one block of as many bytes, on line 4.
const HOLD: &str = "kept = []\n\ndef hold(size):\n    kept.append(bytearray(size))\n";

/// A program that is started: it holds as much as its first argument says, and prints it, and whatever of ours it sees.
const CHILD: &str = "\
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hold import hold
hold(int(sys.argv[1]))
print(sys.argv[1:], [name for name in os.environ if 'HEAPHINT' in name or name == 'LD_PRELOAD'], flush=True)
sys.exit(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
";

/// What every program that starts others begins with.
const START: &str = "\
import os, signal, subprocess, sys, time
from hold import hold
here = os.path.dirname(os.path.abspath(__file__))
child = [sys.executable, os.path.join(here, 'child.py')]
";

/// The block of a size, as its allocator sees it.
fn block(size: u64) -> u64 {
    size + 1
}

/// What is known of a process: how it began, the block of its parent, and how it ended.
type Known = (&'static str, u64, Value);

struct Folder(TempDir);

impl Folder {
    fn new(program: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("the temporary folder is writable"));
        for (name, text) in [("hold.py", HOLD), ("child.py", CHILD), ("app.py", &format!("{START}{program}"))]
        {
            std::fs::write(folder.path(name), text).expect("a file can be written");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.0.path()).args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    fn heaphint(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.command(env!("CARGO_BIN_EXE_heaphint"), arguments), "")
    }

    fn untraced(&self, interpreter: &Interpreter) -> Outcome {
        run(&mut self.command(&interpreter.path, &["app.py"]), "")
    }

    fn traced(&self, interpreter: &Interpreter, options: &[&str]) -> Outcome {
        let python = interpreter.path.to_str().expect("paths are text");
        let usual = ["run", "-q", "-o", "main.heaphint", "--python", python];
        self.heaphint(&[&usual, options, &["app.py"]].concat())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let outcome = self.heaphint(arguments);
        serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.text()))
    }

    /// The programs of the session, as `stats` lists them.
    fn programs(&self, capture: &str) -> Vec<Value> {
        let stats = self.json(&["stats", "--json", "--session", capture]);
        stats["processes"].as_array().expect("processes are a list").clone()
    }

    /// What the processes of the session held on the line of `hold`, by their numbers; those that held nothing are left out.
    fn held(&self, capture: &str) -> BTreeMap<u64, u64> {
        let mut pids: Vec<u64> =
            self.programs(capture).iter().filter_map(|program| program["pid"].as_u64()).collect();
        pids.sort_unstable();
        pids.dedup();
        let held = pids.into_iter().map(|pid| {
            let lines = self.json(&["lines", "--json", "--process", &pid.to_string(), capture]);
            let files = lines["files"].as_array().expect("files are a list").iter();
            let files =
                files.filter(|file| file["path"].as_str().is_some_and(|path| path.ends_with("/hold.py")));
            let lines = files.flat_map(|file| file["lines"].as_array().expect("lines are a list"));
            let bytes = lines
                .filter(|line| line["line"] == 4)
                .filter_map(|line| line["self"]["allocated_bytes"].as_u64());
            (pid, bytes.sum())
        });
        held.filter(|(_, bytes)| *bytes != 0).collect()
    }

    /// By what a process held: what is known of it.
    fn known(&self) -> BTreeMap<u64, (String, u64, Value)> {
        let held = self.held("main.heaphint");
        let programs = self.programs("main.heaphint");
        let known = programs.iter().filter_map(|program| {
            let bytes = *held.get(&program["pid"].as_u64()?)?;
            let parent = held.get(&program["parent_pid"].as_u64()?).copied().unwrap_or(0);
            let beginning = program["beginning"].as_str()?.to_owned();
            // Of a process that was several programs the last one is told of.
            Some((bytes, (beginning, parent, program["exit_code"].clone())))
        });
        known.collect()
    }

    fn captures(&self) -> usize {
        let entries = std::fs::read_dir(self.0.path()).expect("a folder can be listed");
        let names = entries.map(|entry| entry.expect("it can").file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".heaphint")).count()
    }
}

/// The interpreters on which all of this is tried.
fn interpreters() -> Vec<Interpreter> {
    let mut some = Interpreter::all();
    some.retain(|it| ["3.9.", "3.11.", "3.13."].iter().any(|series| it.version.starts_with(series)));
    if some.is_empty() { vec![Interpreter::default()] } else { some }
}

/// A program, how many programs are recorded, and what is known of those that hold something.
struct Case {
    name: &'static str,
    program: &'static str,
    captures: usize,
    known: Vec<(u64, Known)>,
}

fn case(name: &'static str, program: &'static str, captures: usize, known: &[(u64, Known)]) -> Case {
    Case { name, program, captures, known: known.to_vec() }
}

/// The program that the others come from.
fn root(code: i32) -> (u64, Known) {
    (block(1_000_000), ("first", 0, code.into()))
}

/// One of the program's own children.
fn child(size: u64, beginning: &'static str, end: impl Into<Value>) -> (u64, Known) {
    (block(size), (beginning, block(1_000_000), end.into()))
}

fn cases() -> Vec<Case> {
    vec![
        case(
            "fork",
            "hold(1_000_000)\nif os.fork() == 0:\n    hold(2_000_000)\n    os._exit(3)\nprint(os.wait()[1])\n",
            2,
            &[root(0), child(2_000_000, "forked", 3)],
        ),
        case(
            "subprocess, with and without an environment and descriptors of its own",
            "hold(1_000_000)\n\
             for number, more in enumerate([{}, {'env': {}}, {'close_fds': False}, {'env': {'LD_PRELOAD': ''}},\n\
             \x20       {'preexec_fn': lambda: None}, {'start_new_session': True, 'cwd': '/'}]):\n\
             \x20   done = subprocess.run(child + [str(2_000_000 + number), '5'], capture_output=True, **more)\n\
             \x20   print(done)\n",
            // What runs before the program takes its place is Python, too.
            8,
            &[
                root(0),
                child(2_000_000, "started", 5),
                child(2_000_001, "started", 5),
                child(2_000_002, "started", 5),
                child(2_000_003, "started", 5),
                child(2_000_004, "replaced", 5),
                child(2_000_005, "started", 5),
            ],
        ),
        case(
            "posix_spawn",
            "hold(1_000_000)\n\
             spawns = [os.posix_spawn, os.posix_spawnp]\n\
             for number, (spawn, environment) in enumerate(zip(spawns, [{}, os.environ])):\n\
             \x20   pid = spawn(child[0], child + [str(2_000_000 + number), '1'], environment)\n\
             \x20   print(os.waitpid(pid, 0)[1])\n",
            3,
            &[root(0), child(2_000_000, "started", 1), child(2_000_001, "started", 1)],
        ),
        // The way of starting has processes of its own, which hold nothing: the tracker of resources, and the fork server.
        case(
            "multiprocessing",
            "import multiprocessing\n\
             if __name__ == '__main__':\n\
             \x20   hold(1_000_000)\n\
             \x20   ways = ['fork', 'spawn', 'forkserver']\n\
             \x20   for number, way in enumerate(ways):\n\
             \x20       process = multiprocessing.get_context(way).Process(target=hold, args=(2_000_000 + number,))\n\
             \x20       process.start()\n\
             \x20       process.join()\n\
             \x20       print(process.exitcode)\n",
            6,
            &[root(0), child(2_000_000, "forked", 0), child(2_000_001, "started", 0), {
                (block(2_000_002), ("forked", 0, 0.into()))
            }],
        ),
        case(
            "isolated interpreters",
            "hold(1_000_000)\n\
             for number, flags in enumerate(['-I', '-E', '-S', '-sBu']):\n\
             \x20   print(subprocess.run([child[0], flags] + child[1:] + [str(2_000_000 + number)], stdout=subprocess.PIPE))\n",
            5,
            &[
                root(0),
                child(2_000_000, "started", 0),
                child(2_000_001, "started", 0),
                child(2_000_002, "started", 0),
                child(2_000_003, "started", 0),
            ],
        ),
        case(
            "by way of programs that are not Python",
            "import shlex\n\
             hold(1_000_000)\n\
             start = shlex.join(child) + ' '\n\
             print(os.system(start + '2000000 4'), os.system('exit 3'), os.system(')'), os.system('kill -9 $$'))\n\
             print(subprocess.run(['sh', '-c', start + '2000001; ' + start + '2000002; exit 6']))\n\
             print(subprocess.run(['sh', '-c', 'env -i ' + start + '2000003 & wait']))\n\
             print(subprocess.run(['env', '-i', 'A=1', 'sh', '-c', 'exec ' + start + '2000004']))\n",
            6,
            &[
                root(0),
                child(2_000_000, "started", 4),
                child(2_000_001, "started", 0),
                child(2_000_002, "started", 0),
                child(2_000_003, "started", 0),
                child(2_000_004, "started", 0),
            ],
        ),
        case(
            "programs that are not Python see nothing",
            "hold(1_000_000)\n\
             for more in [{}, {'env': {'A': '1'}}, {'env': {'LD_PRELOAD': '', 'B': '2'}}]:\n\
             \x20   for command in [['env'], ['sh', '-c', 'env; env | sort'], ['/bin/sh', '-c', 'exec env']]:\n\
             \x20       print(subprocess.run(command, capture_output=True, **more))\n\
             print(os.system('env | sort'))\n",
            1,
            &[root(0)],
        ),
        case(
            "a child of a child, and one that is killed",
            "hold(1_000_000)\n\
             if os.fork() == 0:\n\
             \x20   hold(2_000_000)\n\
             \x20   if os.fork() == 0:\n\
             \x20       hold(3_000_000)\n\
             \x20       os.kill(os.getpid(), signal.SIGKILL)\n\
             \x20   os._exit(os.wait()[1])\n\
             print(os.wait()[1])\n",
            3,
            &[
                root(0),
                child(2_000_000, "forked", 9),
                (block(3_000_000), ("forked", block(2_000_000), 137.into())),
            ],
        ),
        // What ends without a word of its own is known from who waits for it; what nobody waits for, from nobody.
        case(
            "children that signals end, and one that nobody waits for",
            "import multiprocessing\n\
             if __name__ == '__main__':\n\
             \x20   hold(1_000_000)\n\
             \x20   code = 'import os; from hold import hold; hold(%d); os.kill(os.getpid(), %d)'\n\
             \x20   for number, ending in enumerate([signal.SIGTERM, signal.SIGABRT]):\n\
             \x20       print(subprocess.run([child[0], '-c', code % (2_000_000 + number, ending)]).returncode)\n\
             \x20   waiting, ready = os.pipe()\n\
             \x20   process = multiprocessing.get_context('fork').Process(target=lambda: os.write(ready, b'x' * (not hold(2_000_002))) and time.sleep(60))\n\
             \x20   process.start()\n\
             \x20   os.read(waiting, 1)\n\
             \x20   process.kill()\n\
             \x20   process.join()\n\
             \x20   print(process.exitcode)\n\
             \x20   signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
             \x20   last = subprocess.Popen([child[0], '-c', code % (2_000_003, 9)], stdout=subprocess.PIPE)\n\
             \x20   print(last.stdout.read())\n",
            5,
            &[
                root(0),
                child(2_000_000, "started", 143),
                child(2_000_001, "started", 134),
                child(2_000_002, "forked", 137),
                child(2_000_003, "started", Value::Null),
            ],
        ),
        case(
            "a prefork server",
            PREFORK,
            4,
            &[
                root(0),
                child(2_000_000, "forked", 0),
                child(2_000_001, "forked", 0),
                child(2_000_002, "forked", 0),
            ],
        ),
    ]
}

/// In the manner of gunicorn: a master that forks workers, replaces none, and ends them by a signal.
const PREFORK: &str = "\
import socket
hold(1_000_000)
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen(16)


def work(number):
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    hold(2_000_000 + number)
    os.write(ready, b'x')
    listener.settimeout(0.05)
    while running:
        try:
            client, _ = listener.accept()
        except socket.timeout:
            continue
        client.sendall(b'worker')
        client.close()


waiting, ready = os.pipe()
workers = []
for number in range(3):
    pid = os.fork()
    if pid == 0:
        work(number)
        sys.exit(0)
    workers.append(pid)
for _ in range(8):
    with socket.create_connection(listener.getsockname()) as client:
        print(client.recv(100))
for _ in workers:
    os.read(waiting, 1)
for pid in workers:
    os.kill(pid, signal.SIGTERM)
print([os.waitpid(pid, 0)[1] for pid in workers])
";

#[test]
fn every_way_to_start_a_process_is_followed() {
    let interpreters = interpreters();
    announce("children", &interpreters);
    let cases = cases();
    let runs: Vec<_> = interpreters.iter().flat_map(|it| cases.iter().map(move |case| (it, case))).collect();
    let complaints = complaints(&runs, |(interpreter, case)| {
        let folder = Folder::new(case.program);
        let plain = folder.untraced(interpreter);
        let traced = folder.traced(interpreter, &[]);
        let name = format!("{} on {}", case.name, interpreter.version);
        let mut found = Vec::new();
        if plain != traced {
            found.push(format!("{name}: {}\nunder heaphint {}", plain.text(), traced.text()));
        }
        let programs = folder.programs("main.heaphint").len();
        if (programs, folder.captures()) != (case.captures, case.captures) {
            found.push(format!(
                "{name}: {programs} programs of {}, {:?}",
                folder.captures(),
                folder.programs("main.heaphint")
            ));
        }
        let expected: BTreeMap<_, _> = case.known.iter().cloned().collect();
        let known = folder.known();
        let known: BTreeMap<_, _> = known
            .iter()
            .map(|(bytes, known)| (*bytes, (known.0.as_str(), known.1, known.2.clone())))
            .collect();
        if known != expected {
            found.push(format!("{name}: {known:?}\nand not {expected:?}"));
        }
        found
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn a_program_that_is_replaced_has_two_captures() {
    let program = "\
hold(1_000_000)
for path in ['/nowhere', here]:
    try:
        os.execv(path, ['x'])
    except OSError as error:
        print(error.errno, flush=True)
hold(500_000)
os.execve(sys.executable, child + ['2000000', '7'], {})
";
    for interpreter in interpreters() {
        let folder = Folder::new(program);
        let plain = folder.untraced(&interpreter);
        let traced = folder.traced(&interpreter, &[]);
        assert_eq!(plain, traced, "{}\n{}", plain.text(), traced.text());
        assert_eq!(traced.code, 7);
        let programs = folder.programs("main.heaphint");
        let facts = |key: &str| programs.iter().map(|program| program[key].clone()).collect::<Vec<_>>();
        assert_eq!(facts("beginning"), ["first", "replaced"], "{programs:?}");
        assert_eq!(facts("end"), ["replaced", "closed"]);
        assert_eq!(facts("exit_code"), [7, 7]);
        assert_eq!(programs[0]["pid"], programs[1]["pid"]);
        assert_eq!(programs[0]["parent_pid"], programs[1]["parent_pid"]);
        let held = folder.held("main.heaphint");
        let all = block(1_000_000) + block(500_000) + block(2_000_000);
        assert_eq!(held.values().copied().collect::<Vec<_>>(), [all], "an exec that fails ends nothing");
        let first = folder.json(&["lines", "--json", "main.heaphint"]);
        assert_eq!(
            (&first["session"]["complete"], &first["session"]["processes"]),
            (&true.into(), &1.into())
        );
    }
}

#[test]
fn only_the_program_is_recorded_when_nothing_is_to_be_followed() {
    let folder = Folder::new(
        "hold(1_000_000)\nif os.fork() == 0:\n    hold(2_000_000)\n    os._exit(0)\nos.wait()\n\
         subprocess.run(child + ['3000000'])\nos.execv(child[0], child + ['4000000', '2'])\n",
    );
    let interpreter = Interpreter::default();
    let plain = folder.untraced(&interpreter);
    assert_eq!(plain, folder.traced(&interpreter, &["--no-follow"]));
    assert_eq!(folder.captures(), 1);
    assert_eq!(folder.held("main.heaphint").into_values().collect::<Vec<_>>(), [block(1_000_000)]);
    // A command that is not Python is not the program yet.
    let python = interpreter.path.to_str().expect("paths are text");
    let line = format!("{python} child.py 5000000; true");
    let outcome = folder.heaphint(&["run", "-q", "--no-follow", "-o", "one/", "--", "sh", "-c", &line]);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert_eq!(folder.held("one").into_values().collect::<Vec<_>>(), [block(5_000_000)]);
}

#[test]
fn what_outlives_the_program_is_recorded_to_its_end() {
    let folder = Folder::new(
        "hold(1_000_000)\n\
         wait = 'import os, sys, time\\nwhile not os.path.exists(\"go\"): time.sleep(0.01)\\n'\n\
         subprocess.Popen([child[0], '-c', wait + 'import subprocess\\nsubprocess.run(sys.argv[1:])'] + child + ['2000000'],\n\
         \x20   start_new_session=True, stdout=open('out', 'w'), stdin=subprocess.DEVNULL)\n",
    );
    let outcome = folder.traced(&Interpreter::default(), &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.text());
    assert!(!folder.path("out").metadata().is_ok_and(|out| out.len() > 0));
    std::fs::write(folder.path("go"), "").expect("a file can be written");
    let begin = Instant::now();
    let expected = [block(1_000_000), block(2_000_000)];
    loop {
        let held: Vec<u64> = folder.held("main.heaphint").into_values().collect();
        let ends = folder.programs("main.heaphint");
        if held.len() == 2 && ends.iter().all(|program| program["end"] == "closed") {
            let mut held = held;
            held.sort_unstable();
            assert_eq!((held.as_slice(), ends.len()), (&expected[..], 3));
            break;
        }
        assert!(begin.elapsed() < Duration::from_secs(300), "{ends:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_library_that_is_gone_is_not_asked_for() {
    let folder = Folder::new(
        "hold(1_000_000)\nos.rename('tracer.so', 'gone.so')\nprint(subprocess.run(child + ['2000000'], capture_output=True))\n",
    );
    std::fs::copy(tracer_library(), folder.path("tracer.so")).expect("the library can be copied");
    let path = folder.path("tracer.so");
    let traced =
        folder.traced(&Interpreter::default(), &["--tracer-library", path.to_str().expect("paths are text")]);
    std::fs::rename(folder.path("gone.so"), &path).expect("it is there");
    assert_eq!(folder.untraced(&Interpreter::default()), traced, "{}", traced.text());
    assert_eq!(folder.captures(), 1);
}

#[test]
fn a_run_inside_a_run_is_another_session() {
    let program = format!(
        "hold(1_000_000)\nprint(subprocess.run([{:?}, 'run', '-q', '-o', 'inner/', '--python', child[0], child[1], '2000000', '3']))\n",
        env!("CARGO_BIN_EXE_heaphint")
    );
    let folder = Folder::new(&program);
    let outcome = folder.traced(&Interpreter::default(), &[]);
    assert!(String::from_utf8_lossy(&outcome.stdout).contains("returncode=3"), "{}", outcome.text());
    assert_eq!(folder.held("main.heaphint").into_values().collect::<Vec<_>>(), [block(1_000_000)]);
    assert_eq!(folder.held("inner").into_values().collect::<Vec<_>>(), [block(2_000_000)]);
}

/// Starts the interpreter that is its first argument by every function there is, with more words than there are registers.
const EXEC_FAMILY: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **words) {
    char *python = words[1], line[4096], *none[] = {"A=1", 0}, *list[] = {python, "child.py", 0, "0", "c", "d", "e", "f", "g", 0};
    char size[2][20];
    for (int way = 0; way < 11; way++) {
        sprintf(size[0], "%d", 2000000 + way);
        list[2] = size[0];
        snprintf(line, sizeof line, "%s child.py %s 0 c d e f g", python, size[0]);
        fflush(stdout);
        pid_t pid = way < 8 ? (way % 2 ? fork() : vfork()) : 0;
        if (way >= 8 || pid == 0) {
            switch (way) {
            case 0: execl(python, python, "child.py", size[0], "0", "c", "d", "e", "f", "g", (char *)0); break;
            case 1: execlp(python, python, "child.py", size[0], "0", "c", "d", "e", "f", "g", (char *)0); break;
            case 2: execle(python, python, "child.py", size[0], "0", "c", "d", "e", "f", "g", (char *)0, none); break;
            case 3: execv(python, list); break;
            case 4: execvp(python, list); break;
            case 5: execvpe(python, list, none); break;
            case 6: execve(python, list, none); break;
            case 7: fexecve(open(python, O_RDONLY | O_CLOEXEC), list, none); break;
            case 8: posix_spawn(&pid, python, 0, 0, list, environ); break;
            case 9: posix_spawnp(&pid, python, 0, 0, list, none); break;
            case 10: printf("%d\n", system(line)); break;
            }
            if (way < 8) _exit(99);
        }
        if (pid > 0) {
            int status;
            waitpid(pid, &status, 0);
            printf("%d %d\n", way, status);
        }
    }
    return 0;
}
"#;

#[test]
fn every_function_that_starts_a_program_passes_on_what_it_was_told() {
    let folder = Folder::new("");
    std::fs::write(folder.path("family.c"), EXEC_FAMILY).expect("a file can be written");
    let compiled = run(&mut folder.command("cc", &["family.c", "-o", "family"]), "");
    assert_eq!(compiled.code, 0, "the tests need a C compiler named cc: {}", compiled.text());
    let interpreter = Interpreter::default();
    let python = interpreter.path.to_str().expect("paths are text");
    let plain = run(&mut folder.command("./family", &[python]), "");
    let traced = folder.heaphint(&["run", "-q", "-o", "main/", "--", "./family", python]);
    assert_eq!(plain, traced, "{}\n{}", plain.text(), traced.text());
    let mut held: Vec<u64> = folder.held("main").into_values().collect();
    held.sort_unstable();
    assert_eq!(held, (0..11).map(|way| block(2_000_000 + way)).collect::<Vec<_>>());
    assert!(folder.programs("main").iter().all(|program| program["beginning"] == "first"));
}
