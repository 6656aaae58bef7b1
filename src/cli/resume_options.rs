//! `--resume` and `--time-limit`: an attack goes on where it was stopped.

use std::{path::Path, sync::Arc, time::Duration};

use clap::Args;

use super::{destination::ForceOption, help::group, misuse, options::TimeLimit, progress::Terminal, signals};
use crate::{
    attack::checkpoint::Checkpoints,
    audit::AuditError,
    files::{claim::Destination, program},
    report::OutputFolder,
    watch::Watch,
};

/// In the output folder.
const FOLDER: &str = "checkpoint";
/// Between two checkpoints of an attack under way: what a killed one loses at most.
const EVERY: Duration = Duration::from_secs(60);

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ResumeOptions {
    /// Go on from the checkpoint that a stopped or killed attack left in --out
    ///
    /// With the same options and program, on the same device: the result has the same bits as if nothing had stopped it.
    #[arg(long, help_heading = group::OUTPUT)]
    resume: bool,
    #[command(flatten)]
    limit: TimeLimit,
}

impl ResumeOptions {
    /// From now on a signal, or the end of the time, ends the work, which keeps what it has.
    pub(crate) fn watch_for_the_end(&self) {
        signals::keep_what_there_is();
        self.limit.start();
    }

    /// The folder, this process's alone from now on, and its checkpoints. Those that are there are the work of hours: they
    /// are not replaced by chance.
    pub(crate) fn claim(
        &self,
        to: &Destination,
        force: &ForceOption,
    ) -> anyhow::Result<(OutputFolder, Arc<Checkpoints>)> {
        if self.resume && to.numbered {
            return Err(misuse("--resume: give --out, the folder of the attack that was stopped"));
        }
        let left = to.path.join(FOLDER);
        if !to.numbered && Checkpoints::exists(&left) && !self.resume && !force.force {
            return Err(misuse(format!(
                "{} holds an attack that was stopped: go on with --resume, replace it with --force, or give another folder",
                left.display()
            )));
        }
        // What an interrupted attack has found until then is replaced by what it ends with.
        let folder = ForceOption { force: force.force || self.resume }.claim(to)?;
        let at = folder.path().join(FOLDER);
        if self.resume && !Checkpoints::exists(&at) {
            return Err(misuse(format!("--resume: there is no checkpoint in {}", at.display())));
        }
        let checkpoints = Checkpoints::new(&at, EVERY, program::fingerprint()?, self.resume);
        Ok((folder, Arc::new(checkpoints)))
    }
}

/// The work is over and written, or interrupted: checkpoints stay only where they are needed.
pub(crate) fn end(checkpoints: &Checkpoints, interrupted: bool) {
    if let Err(error) = checkpoints.end(interrupted) {
        Terminal.warning(&format!("there is no whole checkpoint: {error}"));
    }
}

/// What an attack came to, unless it was told to stop before it had anything: then how it goes on.
pub(crate) fn unless_stopped<T>(
    result: Result<T, AuditError>,
    out: &Path,
    checkpoints: &Checkpoints,
) -> anyhow::Result<T> {
    match result {
        Err(error) if error.is_stopped() => {
            end(checkpoints, true);
            Err(signals::stopped(format!(
                "{error}: {} has how far it came, and --resume goes on",
                out.display()
            )))
        }
        result => Ok(result?),
    }
}

/// Says that what lies in the folder is not all, and how it goes on.
pub(crate) fn check(interrupted: bool, out: &Path) -> anyhow::Result<()> {
    match interrupted {
        true => Err(signals::stopped(format!(
            "stopped early: {} has what was found until then, and --resume goes on",
            out.display()
        ))),
        false => Ok(()),
    }
}
