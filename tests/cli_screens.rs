//! `heaphint tree` and `summary` on a terminal: they draw, follow keys and sizes, and leave the terminal as it was.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::cli::Folder;

/// Longest time until something appears on the screen.
const LIMIT: Duration = Duration::from_secs(60);
const ENTER_SCREEN: &str = "\u{1b}[?1049h";
const LEAVE_SCREEN: &str = "\u{1b}[?1049l";

/// A program on a terminal of its own.
struct OnTerminal {
    child: Child,
    keyboard: File,
    /// Kept open, so that its settings can be asked for after the program's end.
    terminal: OwnedFd,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl OnTerminal {
    fn start(mut command: Command) -> Self {
        let (mut master, mut slave) = (-1, -1);
        let size = libc::winsize { ws_row: 30, ws_col: 110, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: both numbers and the size are there for the call; nothing else is asked for.
        let done = unsafe {
            libc::openpty(
                &raw mut master,
                &raw mut slave,
                std::ptr::null_mut(),
                std::ptr::null(),
                &raw const size,
            )
        };
        assert_eq!(done, 0, "a terminal can be opened");
        // SAFETY: the call has opened both, and nobody else has them.
        let (master, terminal) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
        let stream = || Stdio::from(terminal.try_clone().expect("a descriptor can be duplicated"));
        let child = command
            .env("TERM", "xterm-256color")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream())
            .spawn()
            .expect("heaphint starts");
        let mut screen = master.try_clone().expect("a descriptor can be duplicated");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keyboard: master, terminal, output, seen: String::new() }
    }

    /// Waits until the program has written a text, and forgets what came before it.
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.output.recv_timeout(left);
            let bytes = bytes.unwrap_or_else(|_| panic!("{text:?} does not appear after {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("keys can be pressed");
    }

    fn signal(&self, signal: i32) {
        // SAFETY: takes numbers only; the child has not been waited for, so the id is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the call reads the size that it is given.
        let done = unsafe { libc::ioctl(self.keyboard.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "a terminal can change its size");
        self.signal(libc::SIGWINCH);
    }

    /// Waits for the end; the exit code.
    fn end(&mut self) -> Option<i32> {
        self.wait_for(LEAVE_SCREEN);
        self.child.wait().expect("a child can be waited for").code()
    }

    /// Whether the terminal shows what is typed, and whole lines are read, as in a shell.
    fn is_as_before(&self) -> bool {
        let mut settings = std::mem::MaybeUninit::<libc::termios>::uninit();
        // SAFETY: the call fills the structure, or fails and nothing is read from it.
        let settings = unsafe {
            assert_eq!(libc::tcgetattr(self.terminal.as_raw_fd(), settings.as_mut_ptr()), 0);
            settings.assume_init()
        };
        let usual = libc::ICANON | libc::ECHO | libc::ISIG;
        settings.c_lflag & usual == usual
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // A test that failed leaves nobody waiting at a terminal. A child that has ended already is no matter.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.heaphint(&["run", "-q", "-o", "x.heaphint", "app.py"]);
    folder
}

#[test]
fn the_tree_follows_keys_and_sizes() {
    let folder = folder();
    let mut screen = OnTerminal::start(folder.command(&["tree", "x.heaphint"]));
    screen.wait_for(ENTER_SCREEN);
    assert!(!screen.is_as_before());
    screen.wait_for("everything");
    screen.wait_for("app.py:9");
    screen.press("/LOAD\r");
    screen.wait_for("`load`: 1 of");
    screen.press("4");
    screen.wait_for("leaked");
    for (rows, columns) in [(3, 7), (1, 1), (50, 200)] {
        screen.resize(rows, columns);
    }
    screen.press("\t");
    screen.wait_for("functions");
    screen.press("q");
    assert_eq!(screen.end(), Some(0));
    assert!(screen.is_as_before());
}

#[test]
fn the_terminal_is_given_back_whatever_ends_the_program() {
    let folder = folder();
    for ending in ["control c", "terminate", "hang up"] {
        let mut screen = OnTerminal::start(folder.command(&["summary", "x.heaphint"]));
        screen.wait_for(ENTER_SCREEN);
        screen.wait_for("app.py:4");
        match ending {
            "control c" => screen.press("\u{3}"),
            "terminate" => screen.signal(libc::SIGTERM),
            _ => screen.signal(libc::SIGHUP),
        }
        assert_eq!(screen.end(), Some(0), "{ending}");
        assert!(screen.is_as_before(), "{ending}");
    }
}

#[test]
fn text_is_printed_on_a_terminal_that_nobody_wants_to_use() {
    let folder = folder();
    for arguments in [&["tree", "--text", "x.heaphint"][..], &["summary", "-n", "3", "x.heaphint"]] {
        let mut screen = OnTerminal::start(folder.command(arguments));
        screen.wait_for("load");
        assert_eq!(screen.child.wait().expect("a child can be waited for").code(), Some(0));
        assert!(screen.is_as_before() && !screen.seen.contains(ENTER_SCREEN));
    }
}
