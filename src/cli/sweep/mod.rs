//! `gia-gpu sweep`: many attacks side by side, which go on where they were stopped.

mod resolve;
mod victims;

use std::{collections::BTreeSet, path::PathBuf};

use clap::{ArgMatches, Args, Command};
use serde::Serialize;

use self::{
    resolve::{configuration, resolve},
    victims::VictimSettings,
};
use super::{
    clients::check_out,
    command_line,
    data_options::open_data,
    help::group,
    misuse,
    naming_options::NamingOptions,
    note,
    options::{DeviceOptions, NormalisationOptions, numbers},
    print_json, print_line,
    progress::Terminal,
    public_options::PublicOptions,
    signals,
    spelled::spelled,
    threat_options::ThreatOptions,
    verbosity::Verbosity,
    verdict,
};
use crate::{
    data::BatchRule,
    report::Verdict,
    sweep::{self, Configuration, NAMED_AT_ONCE, Record, SweepError},
};

/// Attack many victims, batch sizes, defences and seeds; goes on where it was stopped.
///
/// Batches of many sizes and seeds, of several victims, behind several defences, and what the labels mean.
///
/// All batches of a cell (one victim, batch size, defence and seed) are attacked together. A finished cell is kept in the
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
pub struct Sweep {
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
    /// A victim: ARCH, =FILE for trained weights, options of its own
    ///
    /// Its own options stand in place of those for all (of the network, the client, the attack, --labels, --batch-sizes,
    /// --batches). A .pt2 or .onnx file in place of ARCH is its network. May be repeated; without it, the victim of --arch or --model, and
    /// --weights.
    #[arg(long, value_name = "ARCH[=FILE] [OPTIONS]", conflicts_with_all = ["arch", "model", "weights"], help_heading = group::VICTIM)]
    victim: Vec<String>,
    #[command(flatten)]
    settings: VictimSettings,
    /// Seeds of batches, untrained weights, class order, noise and starts
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

impl Sweep {
    pub fn run(self) -> anyhow::Result<()> {
        let command = Command::new("gia-gpu sweep").disable_help_flag(true);
        let command = Verbosity::augment_args(Sweep::augment_args(command));
        let (sweep, matches) = resolve(self.config.as_deref(), &command)?;
        sweep.sweep(&command, &matches)
    }

    fn sweep(self, command: &Command, matches: &ArgMatches) -> anyhow::Result<()> {
        if self.aggregate == 0 {
            return Err(misuse("--aggregate: expected 1 or more, found 0"));
        }
        let dataset = open_data(self.data.as_deref(), self.class_names.as_deref())?;
        check_out(self.data.as_deref(), &self.out)?;
        let seeds = numbers("--seeds", &self.seeds)?;
        let defences = victims::defences(&self.defences)?;
        if self.adaptive && defences.iter().all(|d| d.defences.is_empty()) {
            return Err(misuse("--adaptive needs --defences to adapt to"));
        }
        let embedded = self.data.is_none();
        let public = self.public.open()?;
        let normalisation = self.normalisation.given()?;
        if normalisation.is_none() {
            note("normalisation: cifar10 (assumed: --normalisation, or --mean and --std)");
        }
        let sweep = sweep::Sweep {
            dataset: &dataset,
            rule: self.batch_labels,
            victims: victims::victims(&self.victim, &self.settings, matches, &dataset, embedded)?,
            defences,
            seeds,
            adaptive: self.adaptive,
            normalisation,
            threat_model: self.threat.open()?,
            naming: None,
            public: public.as_ref(),
            naming_rule: self.naming.rule(),
            together: self.aggregate,
            options: Some(configuration(command, matches)),
            command: command_line(),
        };
        let plan = sweep.plan(&Terminal).map_err(named)?;
        let model = self.naming.open(Some(&dataset.class_names))?;
        if let Some(model) = &model {
            let held: BTreeSet<usize> = dataset.labels().iter().copied().collect();
            self.naming.check_count(model, held.len())?;
        }
        let device = self.device.open()?;
        let namer = match &model {
            None => None,
            Some(model) => self.naming.namer(model, &*device, NAMED_AT_ONCE)?,
        };
        signals::keep_what_there_is();
        let swept = plan.run(&*device, namer, &self.out, &Terminal).map_err(named)?;
        if self.json {
            let (configuration, verdict) = (&swept.configuration, swept.verdict());
            print_json(&Printed { configuration, verdict, cells: swept.cells() })?;
            return signals::check(signals::is_stopped(), &self.out);
        }
        let written: Vec<String> = swept.written.iter().map(|path| path.display().to_string()).collect();
        let verdict = swept.verdict().map_or(String::new(), |v| format!("{}\n\n", verdict::of(&v)));
        print_line(format!("{verdict}{}\nwrote {}", swept.table(), written.join(", ")))?;
        signals::check(signals::is_stopped(), &self.out)
    }
}

/// The error with the options that it is about.
pub fn named(error: SweepError) -> anyhow::Error {
    match error {
        SweepError::Batches { batch_size, batches, cause } => {
            misuse(format!("--batch-sizes {batch_size} × --batches {batches}: {cause}"))
        }
        SweepError::Defence(problem) => misuse(format!("--defence: {problem}")),
        error if error.is_misuse() => misuse(error),
        error => error.into(),
    }
}
