//! What a capture of heaphint holds, one line for each record.

use std::io::{self, Write};

use heaphint_analysis::Capture;

use crate::text::printable;

/// Writes every record of a capture as it stands in its table, after the reader has settled it.
///
/// # Errors
/// When `out` cannot be written.
pub fn records_text(out: &mut dyn Write, capture: &Capture) -> io::Result<()> {
    let text = |text| printable(&capture.text(text));
    let header = &capture.header;
    writeln!(
        out,
        "HEADER version={} pid={} parent_pid={} python_version={:08x} started_unix_ms={} elapsed_ms={} status={} \
         stop_reason={} exit_status={} main_tid={} current_bytes={} peak_bytes={} peak_ms={} rss_peak_bytes={} \
         damaged={} command={} directory={} project={} python_allocator={} frames_problem={} problem={}",
        header.version,
        header.pid,
        header.parent_pid,
        header.python_version,
        header.started_unix_ms,
        header.elapsed_ms,
        header.status,
        header.stop_reason,
        header.exit_status,
        header.main_tid,
        header.current_bytes,
        header.peak_bytes,
        header.peak_ms,
        header.rss_peak_bytes,
        capture.damaged,
        printable(&capture.command().join(" ")),
        text(header.directory),
        text(header.project),
        text(header.python_allocator),
        text(header.frames_problem),
        text(header.problem),
    )?;
    for (id, thread) in capture.threads.iter().enumerate() {
        writeln!(out, "THREAD id={id} tid={} name={}", thread.tid, text(thread.name))?;
    }
    for (id, code) in capture.codes.iter().enumerate() {
        let (name, file) = (text(code.name), text(code.file));
        let (line, in_project) = (code.first_line, code.in_project);
        writeln!(out, "CODE id={id} first_line={line} in_project={in_project} name={name} file={file}")?;
    }
    for (id, stack) in capture.stacks.iter().enumerate() {
        writeln!(out, "STACK id={id} parent={} code={} line={}", stack.parent, stack.code, stack.line)?;
    }
    for site in &capture.sites {
        writeln!(
            out,
            "SITE stack={} thread={} allocator={} live_bytes={} live_count={} peak_bytes={} peak_count={} \
             allocated_bytes={} allocated_count={} temporary_bytes={} temporary_count={} sizes={:?}",
            site.stack,
            site.thread(),
            site.allocator().map_or("UNKNOWN", |allocator| allocator.name()),
            site.live_bytes,
            site.live_count,
            site.peak_bytes,
            site.peak_count,
            site.allocated_bytes,
            site.allocated_count,
            site.temporary_bytes,
            site.temporary_count,
            site.sizes,
        )?;
    }
    for place in &capture.places {
        writeln!(
            out,
            "PLACE kind={} line={} max_bytes={} name={} file={}",
            place.kind,
            place.line,
            place.max_bytes,
            text(place.name),
            text(place.file)
        )?;
    }
    for sample in &capture.timeline {
        let (ms, rss, heap) = (sample.elapsed_ms, sample.rss_bytes, sample.heap_bytes);
        writeln!(out, "SAMPLE elapsed_ms={ms} rss_bytes={rss} heap_bytes={heap}")?;
    }
    Ok(())
}
