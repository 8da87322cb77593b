//! Terminal screens: looking around in a run with the keyboard.
//!
//! [`App`] is what is shown and what keys do to it; it never touches a terminal, so that tests can press its keys and
//! read its screen. [`show`] is the only place that does. Whatever ends it, the terminal is left as it was found.

mod app;
mod cursor;
mod details;
mod picker;
mod screen;
mod search;
mod style;
mod summary_pane;
#[cfg(test)]
mod tests;
mod tree_pane;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use app::{App, Settings, View};

/// How long a signal may wait to be noticed.
const PATIENCE: Duration = Duration::from_millis(200);

/// Takes the terminal and gives it back when it is dropped, also after an error; a panic gives it back before its
/// message is printed.
struct Screen(ratatui::DefaultTerminal);

impl Screen {
    fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

/// Shows the screens until somebody has seen enough.
///
/// # Errors
/// When the terminal cannot be used.
pub fn show(app: &mut App<'_>) -> io::Result<()> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGTERM, libc::SIGHUP, libc::SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&ended))?;
    }
    let mut screen = Screen::take()?;
    let mut is_drawn = false;
    while !app.is_done() && !ended.load(Ordering::Relaxed) {
        if !is_drawn {
            screen.0.draw(|frame| app.draw(frame))?;
            is_drawn = true;
        }
        if !event::poll(PATIENCE)? {
            continue;
        }
        match event::read()? {
            Event::Key(key) if is_suspend(&key) => {
                drop(screen);
                // SAFETY: takes a number only; the process stops here until somebody continues it.
                unsafe { libc::raise(libc::SIGTSTP) };
                screen = Screen::take()?;
            }
            Event::Key(key) if key.kind != KeyEventKind::Release => app.press(key),
            Event::Resize(..) => {}
            _ => continue,
        }
        is_drawn = false;
    }
    Ok(())
}

fn is_suspend(key: &KeyEvent) -> bool {
    key.code == KeyCode::Char('z') && key.modifiers.contains(KeyModifiers::CONTROL)
}
