//! `heaphint baseline`: accepts a run, so that later ones are compared with it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use heaphint_analysis::{Profile, Units, format_size};

use super::input::read_profile;
use super::output;
use super::runs::captures;
use crate::launch::project_root;
use crate::limits::{BaselineFile, Disk, Written};

/// Accept a run as what later ones are compared with, or show what was accepted
///
/// Accepted runs are kept in heaphint-baseline.json of the project, which belongs into version control. A limit
/// `growth = "5 % or 2 MiB"` then says how much more a run may hold.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Accept a run in place of the last one of the same command
    Save {
        /// Captures of one run, or a folder with captures [default: the newest run of this project]
        #[arg(value_name = "CAPTURE")]
        captures: Vec<PathBuf>,
        /// The file to keep it in [default: heaphint-baseline.json of the project]
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
    },
    /// Show the runs that were accepted
    Show {
        /// The file they are kept in [default: heaphint-baseline.json of this project]
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        /// Print the file itself
        #[arg(long)]
        json: bool,
    },
}

pub fn main(arguments: &Arguments) -> anyhow::Result<u8> {
    match &arguments.action {
        Action::Save { captures: named, baseline } => {
            let profile = read_profile(&captures(named)?)?;
            save(&profile, baseline.as_deref())?;
        }
        Action::Show { baseline, json } => {
            let root = project_root(None, &std::env::current_dir().unwrap_or_default());
            let file = BaselineFile(
                baseline.clone().unwrap_or_else(|| configured(&root, &Profile::from_captures(&[]))),
            );
            show(&file, *json)?;
        }
    }
    Ok(0)
}

/// The file that the project keeps its accepted runs in.
fn configured(root: &Path, profile: &Profile) -> PathBuf {
    Written::configuration(root, &Disk::new(profile)).baseline
}

fn save(profile: &Profile, baseline: Option<&Path>) -> anyhow::Result<()> {
    let session = profile.session();
    let file = match baseline {
        Some(path) => path.to_owned(),
        None => configured(Path::new(&session.project), profile),
    };
    let file = BaselineFile(file);
    let mut accepted = file.read()?.unwrap_or_default();
    let run = accepted.accept(profile);
    let said = format!(
        "`{}` is accepted with a peak of {}",
        run.command,
        format_size(run.peak_bytes, Units::default())
    );
    file.write(&accepted)?;
    anstream::eprintln!("heaphint: {said}, written to {}", file.0.display());
    if !session.complete || session.exit_code.is_some_and(|code| code != 0) {
        anstream::eprintln!(
            "heaphint: the program did not end as it should: better accept a run that succeeds"
        );
    }
    Ok(())
}

fn show(file: &BaselineFile, json: bool) -> anyhow::Result<()> {
    let Some(accepted) = file.read()? else {
        anyhow::bail!(
            "no run is accepted yet, there is no file {}: accept one with `heaphint baseline save`",
            file.0.display()
        );
    };
    if json {
        let text = accepted.text()?;
        return output::write(|out| write!(out, "{text}"));
    }
    output::write(|out| {
        for run in accepted.runs() {
            let python =
                run.python.as_ref().map(|version| format!(" (Python {version})")).unwrap_or_default();
            let size = |bytes| format_size(bytes, Units::default());
            writeln!(out, "{}{python}", run.command)?;
            writeln!(
                out,
                "  peak {}, largest RSS {}, allocated {} in {} allocations, left at the end {}, {} functions",
                size(run.peak_bytes),
                size(run.rss_peak_bytes),
                size(run.allocated_bytes),
                run.allocated_count,
                size(run.leaked_bytes),
                run.functions.len()
            )?;
        }
        Ok(())
    })
}
