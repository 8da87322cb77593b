//! What a run was and how large it became, at the head of every document for people.

use std::io::{self, Write};

use heaphint_analysis::{Inexact, Interval, Profile};

use crate::text::{Look, Role, duration, grouped, printable};

/// Writes what a run was and how large it became: two lines and the notes.
///
/// # Errors
/// When `out` cannot be written.
pub fn session_text(out: &mut dyn Write, profile: &Profile, look: &Look) -> io::Result<()> {
    let session = profile.session();
    let command = printable(&session.command.join(" "));
    let mut facts = Vec::new();
    facts.extend(session.python.as_ref().map(|version| format!("Python {version}")));
    facts.push(duration(session.duration_ms));
    if let Some(code) = session.exit_code.filter(|code| *code != 0) {
        facts.push(format!("exit code {code}"));
    }
    if !session.complete {
        facts.push("ended without closing its capture".to_owned());
    }
    if session.processes > 1 {
        facts.push(format!("{} processes", session.processes));
    }
    writeln!(out, "{}  {}", look.paint(Role::Heading, &command), look.paint(Role::Dim, facts.join(", ")))?;
    let look = &look.of(profile);
    let estimate = session.inexact.and_then(Inexact::estimate);
    let size = |bytes| match estimate.map(|estimate| estimate.bytes(bytes)) {
        None => look.size(bytes),
        Some(Interval { low, high }) => {
            format!("{} ({} to {})", look.size(bytes), look.exact_size(low), look.exact_size(high))
        }
    };
    let count = match estimate.map(|estimate| estimate.count(session.allocated_count)) {
        None => look.count(session.allocated_count),
        Some(Interval { low, high }) => {
            format!("{} ({} to {})", look.count(session.allocated_count), grouped(low), grouped(high))
        }
    };
    writeln!(
        out,
        "peak {} at {}, allocated {} in {} allocations, left at the end {}, largest RSS {}",
        look.paint(Role::Large, size(session.peak_bytes)),
        duration(session.peak_ms),
        size(session.allocated_bytes),
        count,
        size(session.leaked_bytes),
        look.exact_size(session.rss_peak_bytes),
    )?;
    for note in &session.notes {
        writeln!(out, "{} {}", look.paint(Role::Warning, "note:"), printable(note))?;
    }
    Ok(())
}
