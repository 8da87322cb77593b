//! The traced program as a process, with its output apart from the server's.

use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::relay::Relay;
use crate::launch::Observer;
use crate::supervise::{self, Supervised, Told};

/// What the program wrote is waited for so long after its end when the editor does not take it.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(20);

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// What the system said.
    pub status: ExitStatus,
    /// The last line of its standard error that was not empty.
    pub last_error_line: Option<String>,
}

/// Starts `command` below a supervisor, observed from its start on, and returns it and its end.
///
/// # Errors
/// When it cannot be started.
pub async fn start(
    command: Command,
    stdin: Stdio,
    observe: impl FnOnce(u32) -> Observer + Send + 'static,
    relay: Relay,
) -> io::Result<(Arc<Supervised>, oneshot::Receiver<io::Result<Ended>>)> {
    let (started, is_started) = oneshot::channel();
    let (ended, is_ended) = oneshot::channel();
    thread::Builder::new().name("heaphint-run".into()).spawn(move || {
        let told = match supervise::start(&command, stdin) {
            Ok((program, told)) => {
                let observer = observe(program.pid());
                let _ = started.send(Ok(Arc::new(program)));
                (told, observer)
            }
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let _ = ended.send(until_end(told, relay));
    })?;
    let program = is_started.await.map_err(|_| io::Error::other("the run's thread ended"))??;
    Ok((program, is_ended))
}

fn until_end((mut told, observer): (Told, Observer), output: Relay) -> io::Result<Ended> {
    let (written, is_written) = mpsc::channel::<()>();
    let last_error_line = output.last_error_line();
    let program_ended = output.program_ended();
    if let (Some(stdout), Some(stderr)) = (told.stdout.take(), told.stderr.take()) {
        thread::spawn(move || output.relay(stdout.into(), stderr.into(), written));
    }
    let status = told.end();
    drop(observer);
    program_ended.store(true, Ordering::Relaxed);
    // The reader drops its end when it has passed on what was written.
    let _ = is_written.recv_timeout(OUTPUT_PATIENCE);
    let last_error_line = last_error_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok(Ended { status: status?, last_error_line })
}
