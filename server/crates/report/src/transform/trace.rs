//! Heap and RSS over time as counters of a Chrome trace, which Perfetto and chrome://tracing open.

use std::io::{self, Write};

use heaphint_analysis::Profile;
use serde_json::{Value, json};

use crate::json;

pub fn write(out: &mut dyn Write, profile: &Profile) -> io::Result<()> {
    let session = profile.session();
    let processes = profile.processes();
    let start = processes.iter().map(|process| process.started_unix_ms).min().unwrap_or(0);
    let mut events: Vec<Value> = Vec::new();
    for (number, process) in processes.iter().enumerate() {
        let pid = process.pid;
        let name = if number == 0 { session.command.join(" ") } else { format!("process {pid}") };
        events.push(json!({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": {"name": name}}));
        // Microseconds since the first process began.
        let offset_ms = process.started_unix_ms.saturating_sub(start);
        let at = |elapsed_ms: u64| offset_ms.saturating_add(elapsed_ms).saturating_mul(1000);
        for sample in &process.timeline {
            let ts = at(u64::from(sample.elapsed_ms));
            let counter = |name: &str, bytes: u64| json!({"ph": "C", "name": name, "pid": pid, "tid": 0, "ts": ts, "args": {"bytes": bytes}});
            events.push(counter("heap", sample.heap_bytes));
            events.push(counter("RSS", sample.rss_bytes));
        }
        events.push(json!({
            "ph": "i", "s": "p", "name": "peak", "pid": pid, "tid": 0, "ts": at(process.peak_ms),
            "args": {"bytes": process.peak_bytes},
        }));
    }
    let other = json!({"command": session.command.join(" "), "started_unix_ms": start});
    json::write(out, &json!({"traceEvents": events, "displayTimeUnit": "ms", "otherData": other}))
}
