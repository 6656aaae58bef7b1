//! `gia-gpu sweep`: many attacks side by side, which go on where they were stopped.

mod laboratory;
mod names;
mod overview;
mod page;
mod plan;
mod resolve;
mod victims;

use std::{collections::BTreeSet, fs, path::PathBuf};

use anyhow::Context;
use clap::{ArgMatches, Args, Command};
use serde::Serialize;

use self::{
    laboratory::Laboratory,
    overview::Overview,
    plan::Plan,
    resolve::{configuration, resolve},
    victims::VictimSettings,
};
use super::{
    device,
    help::group,
    misuse,
    naming_options::NamingOptions,
    note,
    options::{DeviceOptions, NormalisationOptions},
    print_json, print_line, program,
    progress::Progress,
    spelled::spelled,
    threat_options::ThreatOptions,
    verbosity::Verbosity,
};
use crate::{
    attack::threat::ThreatModel,
    clip::zero_shot::Namer,
    data::{BatchRule, DataError},
    device::DeviceInfo,
    semantic::Assignment,
    sweep::{Configuration, Finished, Journal, Record, SweepError, plots, points, results},
};

/// What stands in the folder beside the results: all that is finished.
const JOURNAL: &str = "journal.jsonl";
const PAGE: &str = "report.html";
/// Pictures that the naming model takes in one run: always as many, so that no cell's sums depend on another.
const NAMED_AT_ONCE: usize = 64;
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
    /// A victim: ARCH, =FILE for trained weights, options of its own
    ///
    /// Its own options stand in place of those for all (of the network, the client, the attack, --labels, --batch-sizes,
    /// --batches). May be repeated; without it, the victim of --arch and --weights.
    #[arg(long, value_name = "ARCH[=FILE] [OPTIONS]", conflicts_with_all = ["arch", "weights"], help_heading = group::VICTIM)]
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
    #[arg(long, value_name = "R", value_parser = spelled::<BatchRule>(), default_value = "any", help_heading = group::INPUT)]
    batch_labels: BatchRule,
    #[command(flatten)]
    naming: NamingOptions,
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
    cells: Vec<&'a Record>,
}

/// What stands in the folder, and what it is made from beside the finished cells.
struct Show<'a> {
    sweep: &'a Sweep,
    configuration: &'a Configuration,
    threats: &'a [(ThreatModel, Vec<String>)],
    data: &'a str,
    model: Option<String>,
    seed: u64,
    device: DeviceInfo,
    cells: usize,
}

impl Show<'_> {
    /// Tables, plots and page of what is finished; the paths that a person wants to know.
    fn write(&self, finished: &[&Finished]) -> anyhow::Result<Vec<PathBuf>> {
        let Show { sweep, configuration, threats, data, seed, .. } = *self;
        results::write(&sweep.out, finished, &self.device)?;
        let cells: Vec<&Record> = finished.iter().map(|f| &f.record).collect();
        let lines = points::lines(&cells, sweep.naming.assignment);
        let mut written = vec![sweep.out.join(results::RESULTS)];
        written.extend(plots::write(&sweep.out, &lines, sweep.aggregate)?);
        let page = page::page(&page::Facts {
            lines: &lines,
            together: sweep.aggregate,
            one_to_one: sweep.naming.assignment == Assignment::OneToOne,
            configuration,
            threats,
            data,
            model: self.model.clone(),
            seed,
            device: &self.device,
            missing: [self.cells - finished.len(), self.cells],
        });
        page.write(&sweep.out.join(PAGE))?;
        written.push(sweep.out.join(PAGE));
        Ok(written)
    }
}

impl Sweep {
    pub fn run(self) -> anyhow::Result<()> {
        let command = Command::new("gia-gpu sweep").disable_help_flag(true);
        let command = Verbosity::augment_args(Sweep::augment_args(command));
        let (sweep, matches) = resolve(self.config.as_deref(), &command)?;
        sweep.sweep(&command, &matches)
    }

    fn sweep(self, command: &Command, matches: &ArgMatches) -> anyhow::Result<()> {
        let plan = self.plan(matches)?;
        let choice = self.naming.open(Some(&plan.dataset.class_names))?;
        if let Some(choice) = &choice {
            let held: BTreeSet<usize> = plan.dataset.labels().iter().copied().collect();
            self.naming.check_count(choice, held.len())?;
        }
        let results = self.out.join(results::RESULTS);
        if results.exists() && !self.out.join(JOURNAL).exists() {
            return Err(misuse(format!(
                "{}: results without the journal that they come from: give another folder, or remove them",
                results.display()
            )));
        }
        fs::create_dir_all(&self.out)
            .map_err(|cause| DataError::Unwritable { path: self.out.clone(), cause })?;
        let device = self.device.open()?;
        let bar = Progress::counting("encoding names");
        let namer = match &choice {
            None => None,
            Some(choice) => {
                let mut progress = |_: &'static str, done, of| bar.count(done, of);
                self.naming.namer(choice, &*device, NAMED_AT_ONCE, &mut progress)?
            }
        };
        bar.finish();
        let mut laboratory = Laboratory {
            device: &*device,
            dataset: &plan.dataset,
            rule: self.batch_labels,
            normalisation: &self.normalisation,
            threat: &self.threat,
            naming: &self.naming,
            namer,
            adaptive: self.adaptive,
            together: self.aggregate,
            notes: BTreeSet::new(),
        };
        let configuration = configuration(command, matches)
            .with("version of gia-gpu", env!("CARGO_PKG_VERSION"))
            .with("program", program::fingerprint()?)
            .with("--device", device::facts(&device.info()));
        let configuration = self.content(configuration, &plan, &mut laboratory.namer)?;
        let (journal, known) =
            Journal::open(&self.out.join(JOURNAL), &configuration).map_err(|error| match error {
                SweepError::OtherConfiguration { .. } => misuse(error),
                error => error.into(),
            })?;
        let show = Show {
            sweep: &self,
            configuration: &configuration,
            threats: &plan.threats,
            data: &plan.dataset.name,
            model: laboratory.namer.as_ref().map(Namer::model),
            seed: plan.tasks[0].cell.seed,
            device: device.info(),
            cells: plan.tasks.len(),
        };
        let (finished, mut failure) = self.measure(&plan, &mut laboratory, journal, known, &show)?;
        if let Some(failure) = failure.take_if(|_| finished.is_empty()) {
            return Err(failure);
        }
        let all: Vec<&Finished> = finished.iter().collect();
        let written = show.write(&all)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let cells: Vec<&Record> = finished.iter().map(|f| &f.record).collect();
        let lines = points::lines(&cells, self.naming.assignment);
        if self.json {
            return print_json(&Printed { configuration: &configuration, cells });
        }
        let written: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        print_line(format!("{}\nwrote {}", overview::table(&lines, self.aggregate), written.join(", ")))
    }

    /// Computes what is not finished yet; the results are on the disk after every cell. With the finished cells what
    /// went wrong with others, if something did.
    fn measure(
        &self,
        plan: &Plan,
        laboratory: &mut Laboratory,
        mut journal: Journal,
        known: Vec<Finished>,
        show: &Show,
    ) -> anyhow::Result<(Vec<Finished>, Option<anyhow::Error>)> {
        let mut finished: Vec<Option<Finished>> = plan.tasks.iter().map(|_| None).collect();
        for cell in known {
            let place = plan.tasks.iter().position(|task| task.cell == cell.record.cell);
            let place = place.with_context(|| {
                format!("{}: a cell that is not part of the sweep: {}", JOURNAL, cell.record.cell)
            })?;
            finished[place] = Some(cell);
        }
        let done = finished.iter().flatten().count();
        let write =
            |finished: &[Option<Finished>]| show.write(&finished.iter().flatten().collect::<Vec<_>>());
        if done > 0 {
            note(&format!("{done} of {} cells were finished before", plan.tasks.len()));
            write(&finished)?;
        }
        let overview = Overview::new(&plan.victims, &plan.tasks);
        let mut failed = vec![];
        for (place, task) in plan.tasks.iter().enumerate() {
            if finished[place].is_some() {
                continue;
            }
            overview.begin(task, &finished);
            match laboratory.measure(task, &plan.victims[task.victim], &plan.defences[task.defence]) {
                Ok(cell) => {
                    journal.append(&cell)?;
                    finished[place] = Some(cell);
                    write(&finished)?;
                }
                // Another cell may need less memory, or have a client that can be attacked.
                Err(error) => {
                    note(&format!("{}: {error:#}", task.cell));
                    failed.push((&task.cell, error));
                }
            }
        }
        overview.finish();
        let missing = failed.len();
        let failure = failed.into_iter().next().map(|(cell, error)| {
            error.context(format!(
                "{missing} of {} cells failed (the others are kept, the same command tries these again), the first at \
                 {cell}",
                plan.tasks.len()
            ))
        });
        Ok((finished.into_iter().flatten().collect(), failure))
    }
}
