//! `gia-gpu sweep submit`

use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use super::{Sweep, named, prepared::Prepared};
use crate::{
    cli::{command_line, help::group, misuse, own_arguments, print_line},
    data::atomic,
    sweep::{Resources, Shard, command::without, scripts},
};

/// Shards, where nothing else is said.
const SHARDS: usize = 16;
/// Options that only this command has, with a value and without.
const WITH_VALUE: [&str; 6] = ["--shards", "--time", "--partition", "--gpus", "--cpus", "--mem"];
const ALONE: [&str; 2] = ["--slurm", "--now"];

/// Write the scripts of a Slurm array and of the job that merges it, and say how to send them.
///
/// OUT/sweep.sbatch and OUT/merge.sbatch; with --now they are sent. The same array sent again computes what is missing.
#[derive(Args)]
#[command(
    args_override_self = true,
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu sweep submit --slurm --time 2:00:00 --partition gpu --gpus 1 --shards 16 --batches 50 --out study"
)]
pub(crate) struct Submit {
    #[command(flatten)]
    sweep: Sweep,
    /// For Slurm
    #[arg(long, required = true, help_heading = group::OUTPUT)]
    slurm: bool,
    /// Tasks of the array
    #[arg(long, value_name = "N", default_value_t = SHARDS, value_parser = Shard::count, help_heading = group::OUTPUT)]
    shards: usize,
    /// Time that a task may take, as Slurm writes it
    #[arg(long, value_name = "H:M:S", help_heading = group::OUTPUT)]
    time: Option<String>,
    /// Partition of the cluster
    #[arg(long, value_name = "P", help_heading = group::OUTPUT)]
    partition: Option<String>,
    /// GPUs of a task
    #[arg(long, value_name = "N", help_heading = group::OUTPUT)]
    gpus: Option<usize>,
    /// Processors of a task
    #[arg(long, value_name = "N", help_heading = group::OUTPUT)]
    cpus: Option<usize>,
    /// Memory of a task, as Slurm writes it
    #[arg(long, value_name = "SIZE", help_heading = group::OUTPUT)]
    mem: Option<String>,
    /// Send both jobs
    #[arg(long, help_heading = group::OUTPUT)]
    now: bool,
}

impl Submit {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let own = without(&own_arguments(2).collect::<Vec<_>>(), &WITH_VALUE, &ALONE);
        for value in [&self.time, &self.partition, &self.mem].into_iter().flatten() {
            if value.is_empty() || !value.chars().all(|c| c.is_ascii_alphanumeric() || ":-_.,".contains(c)) {
                return Err(misuse(format!("expected a value that Slurm knows, found '{value}'")));
            }
        }
        let prepared = Prepared::new(self.sweep.config.as_deref(), own.clone(), command_line())?;
        if prepared.sweep.shard.is_some() {
            return Err(misuse("--shard: the array gives every task its own"));
        }
        prepared.with_plan(|plan, _| plan.costs().map(drop).map_err(named))?;
        let out = &prepared.sweep.out;
        std::fs::create_dir_all(out).with_context(|| format!("{}", out.display()))?;
        let program = std::env::current_exe().context("the program's own path")?.display().to_string();
        let quoted = |word: &str| shlex::try_quote(word).map(|word| word.into_owned()).unwrap_or_default();
        let words: Vec<String> = own.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        let program = quoted(&program);
        let resources = Resources {
            time: self.time.clone(),
            partition: self.partition.clone(),
            gpus: self.gpus,
            cpus: self.cpus,
            memory: self.mem.clone(),
        };
        let sweep = format!("{program} sweep {}", words.join(" "));
        let [array, merge] = scripts(sweep.trim_end(), &program, out, self.shards, &resources);
        let paths = [(out.join("sweep.sbatch"), array), (out.join("merge.sbatch"), merge)];
        for (path, text) in &paths {
            atomic::write_bytes(path, text.as_bytes())?;
        }
        let [array, merge] = paths.map(|(path, _)| quoted(&path.display().to_string()));
        if !self.now {
            return print_line(format!(
                "wrote {array} and {merge}\nJOB=$(sbatch --parsable {array}) && sbatch --dependency=afterany:$JOB {merge}"
            ));
        }
        let job = sbatch(&[&array])?;
        let merging = sbatch(&[&format!("--dependency=afterany:{job}"), &merge])?;
        print_line(format!(
            "job {job}: {} shards; job {merging} merges them into {}",
            self.shards,
            out.display()
        ))
    }
}

/// Number of the job.
fn sbatch(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("sbatch").arg("--parsable").args(arguments).output();
    let output = output.context("sbatch cannot be called: is this a machine of a Slurm cluster? Without --now the scripts are written only")?;
    if !output.status.success() {
        bail!("sbatch: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().split(';').next().unwrap_or_default().to_string())
}
