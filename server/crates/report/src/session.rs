//! What a run was and how large it became, at the head of every document for people.

use std::io::{self, Write};

use heaphint_analysis::Profile;

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
    writeln!(
        out,
        "peak {} at {}, allocated {} in {} allocations, left at the end {}, largest RSS {}",
        look.paint(Role::Large, look.size(session.peak_bytes)),
        duration(session.peak_ms),
        look.size(session.allocated_bytes),
        grouped(session.allocated_count),
        look.size(session.leaked_bytes),
        look.size(session.rss_peak_bytes),
    )?;
    for note in &session.notes {
        writeln!(out, "{} {}", look.paint(Role::Warning, "note:"), printable(note))?;
    }
    Ok(())
}
