//! `gia-gpu study guidance`

use std::{collections::BTreeSet, fs, path::PathBuf};

use clap::Args;
use serde::Serialize;

use super::{
    super::{
        attack_options::AttackOptions,
        data_options::DataOptions,
        device::facts,
        experiment::{ClientBatch, Experiment, read_batches},
        guidance_options::{EncodedMeanings, GuideChoice, ScheduleOptions, guidable},
        help::group,
        misuse,
        model_options::{DEFAULT_ARCHITECTURE, VictimOptions},
        naming_options::{Choice, NamingOptions},
        note,
        options::{DeviceOptions, NormalisationOptions, check_batch, numbers},
        print_json, print_line, program,
        progress::Progress,
        spelled::spelled,
    },
    guidance_plots,
    guidance_table::{Arm, Measured, OfBatch, Row, Towards, csv, rows, table},
};
use crate::{
    attack::{config::AttackConfig, invert::Reconstruction, threat::ThreatModel},
    clip::zero_shot::Namer,
    data::{BatchRule, DataError, Dataset, Picture, atomic, samples},
    device::{Device, DeviceInfo},
    federated::{Protocol, Victim},
    metrics::compare,
    semantic::{Assignment, ClassOrder, Scorer, Seen, Truth},
    sweep::{Configuration, Journal, SweepError},
};

const JOURNAL: &str = "journal.jsonl";
const RESULTS: &str = "guidance.csv";
/// Most iterations of an attack of the study, unless told otherwise: there are many.
const ITERATIONS: usize = 1_000;
/// Pictures that the naming model takes in one run.
const NAMED_AT_ONCE: usize = 64;

/// What names add that draw pictures to them.
///
/// Attack the same batches without guidance, guided by the true names, and guided by names of other classes. All
/// have the same starts, budget and labels. What the true names add is the paired difference to the attack without; what
/// any names would add is the difference that those of other classes make. Names are read by the model that guided, which
/// is no independent witness of what it has pulled at; likeness to the originals (SSIM) is.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu study guidance\n  gia-gpu study guidance --data cifar/test --batch-sizes 1,2,4 \
                  --batches 48 --guide-weights 0.002,0.02 --out guidance"
)]
pub struct GuidanceStudy {
    /// Pictures: folders of classes, CIFAR-10's batches or IDX files
    ///
    /// A folder with a folder per class, CIFAR-10's binary batches, or IDX files. Without it, the embedded samples
    /// (Fashion-MNIST).
    #[arg(long, value_name = "PATH", help_heading = group::INPUT)]
    data: Option<PathBuf>,
    /// Pictures in a batch
    #[arg(long, value_name = "N,N", default_value = "1,2,4")]
    batch_sizes: String,
    /// Batches of each size
    #[arg(long, value_name = "N", default_value_t = 8)]
    batches: usize,
    /// Which labels a batch may have
    #[arg(long, value_name = "R", value_parser = spelled::<BatchRule>(), default_value = "any", help_heading = group::INPUT)]
    batch_labels: BatchRule,
    /// Values of λ that are compared
    #[arg(long, value_name = "W,W", default_value = "0.002,0.02", help_heading = group::ATTACK)]
    guide_weights: String,
    #[command(flatten)]
    schedule: ScheduleOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    attack: AttackOptions,
    #[command(flatten)]
    naming: NamingOptions,
    /// Seed of batches, weights, class order and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for guidance.csv, a row a batch, plots and the journal
    ///
    /// The journal has what is finished: the same command goes on from there.
    #[arg(long, value_name = "DIR", default_value = "guidance", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

#[derive(Serialize)]
struct Report<'a> {
    tool: &'static str,
    version: &'static str,
    seed: u64,
    device: DeviceInfo,
    configuration: &'a Configuration,
    rows: &'a [Row],
}

/// What all arms share.
struct Bench<'a> {
    device: &'a dyn Device,
    dataset: &'a Dataset,
    victim: &'a Victim,
    order: &'a ClassOrder,
    choice: &'a Choice,
    namer: Namer<'a>,
}

impl GuidanceStudy {
    pub fn run(self) -> anyhow::Result<()> {
        let dataset = self.data.as_deref().map_or_else(|| Ok(samples()), Dataset::open)?;
        let (arms, config) = (arms(&self.sizes()?, &self.weights()?), self.config()?);
        let mut victim = self.victim.open(self.seed, &DataOptions::known(&dataset))?;
        let order = ClassOrder::shuffled(victim.model.classes, self.seed);
        order.apply(&mut victim);
        let Some(choice) = self.naming.open(Some(&dataset.class_names))? else {
            return Err(misuse("a study of guidance needs a model and names: give --clip and --names"));
        };
        let device = self.device.open()?;
        let bar = Progress::counting("encoding names");
        let mut progress = |_: &'static str, done, of| bar.count(done, of);
        let namer = self.naming.namer(&choice, &*device, NAMED_AT_ONCE, &mut progress)?;
        bar.finish();
        let Some(namer) = namer else { return Err(misuse("no model that compares pictures with names")) };
        let configuration = Configuration::default()
            .with("version of gia-gpu", env!("CARGO_PKG_VERSION"))
            .with("program", program::fingerprint()?)
            .with("device", facts(&device.info()))
            .with("data", format!("{}, {} pictures", dataset.name, dataset.len()))
            .with("victim", format!("{}, weights {}", victim.model.describe(), victim.fingerprint()))
            .with("attack", serde_json::to_string(&config)?)
            .with("trials", self.attack.trials)
            .with("schedule", serde_json::to_string(&self.schedule.guidance(1.0))?)
            .with("names", format!("{} by {}", namer.labels.join(","), namer.model()))
            .with("batches", format!("{}, labels {}", self.batches, self.batch_labels))
            .with("seed", self.seed);
        fs::create_dir_all(&self.out)
            .map_err(|cause| DataError::Unwritable { path: self.out.clone(), cause })?;
        let (mut journal, mut measured): (Journal, Vec<Measured>) =
            Journal::open(&self.out.join(JOURNAL), &configuration).map_err(|error| match error {
                SweepError::OtherConfiguration { .. } => misuse(error),
                error => error.into(),
            })?;
        let mut bench = Bench {
            device: &*device,
            dataset: &dataset,
            victim: &victim,
            order: &order,
            choice: &choice,
            namer,
        };
        for arm in &arms {
            if measured.iter().any(|m| m.arm == *arm) {
                continue;
            }
            let done = arms.iter().filter(|arm| measured.iter().any(|m| m.arm == **arm)).count();
            note(&format!("{} of {}: {arm}", done + 1, arms.len()));
            let config = AttackConfig {
                guidance: arm.weight.map(|weight| self.schedule.guidance(weight)),
                ..config.clone()
            };
            let done = Measured { arm: *arm, batches: self.measure(&mut bench, *arm, &config)? };
            journal.append(&done)?;
            measured.push(done);
            atomic::write_bytes(&self.out.join(RESULTS), &csv(&measured)?)?;
        }
        let rows = rows(&arms, &measured);
        let plots = guidance_plots::write(&self.out, &rows)?;
        if self.json {
            let (tool, version) = (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
            let (device, configuration) = (device.info(), &configuration);
            return print_json(&Report {
                tool,
                version,
                seed: self.seed,
                device,
                configuration,
                rows: &rows,
            });
        }
        let written = [self.out.join(RESULTS)].into_iter().chain(plots);
        let written: Vec<String> = written.map(|path| path.display().to_string()).collect();
        print_line(format!("{}\nwrote {}", table(&rows, self.batches), written.join(", ")))
    }

    fn sizes(&self) -> anyhow::Result<Vec<usize>> {
        let sizes: Vec<usize> = numbers("--batch-sizes", &self.batch_sizes)?;
        sizes.iter().try_for_each(|&size| check_batch(size))?;
        Ok(sizes)
    }

    fn weights(&self) -> anyhow::Result<Vec<f64>> {
        let weights: Vec<f64> = numbers("--guide-weights", &self.guide_weights)?;
        match weights.iter().find(|weight| !(weight.is_finite() && **weight > 0.0)) {
            Some(weight) => Err(misuse(format!("--guide-weights: expected weights > 0, found {weight}"))),
            None => Ok(weights),
        }
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = self.attack.config(name)?;
        if self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(ITERATIONS);
        }
        guidable(&config)?;
        Ok(config)
    }

    /// One arm: its batches are captured, attacked, compared and named.
    fn measure(&self, bench: &mut Bench, arm: Arm, config: &AttackConfig) -> anyhow::Result<Vec<OfBatch>> {
        let Bench { device, dataset, victim, order, choice, .. } = *bench;
        let (size, count) = (arm.batch_size, self.batches);
        let chosen = dataset
            .random_batches(size, count, self.batch_labels, self.seed)
            .map_err(|error| misuse(format!("--batch-sizes {size} × --batches {count}: {error}")))?;
        let mut batches = read_batches(dataset, victim, chosen)?;
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let normalisation = self.normalisation.open(victim.image_shape()[0], None)?;
        let experiment = Experiment {
            device,
            victim,
            protocol: &Protocol::default(),
            normalisation: &normalisation,
            config,
            threat: &ThreatModel::insider(),
            batches: &batches,
            defences: &[],
            adaptive: false,
            labels_given: false,
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let names = order.names(&dataset.class_names);
        let meanings: Option<EncodedMeanings> = match arm.towards {
            Towards::Nothing => None,
            towards => {
                let mut told = names.clone();
                if towards == Towards::OtherNames {
                    told.rotate_left(1);
                }
                let held = |index| batches.iter().any(|b| b.labels.contains(&index));
                let meanings = GuideChoice::Oracle.meanings(victim.model.classes, &told)?.only(held);
                Some(meanings.encoded(Some(choice), device)?)
            }
        };
        let outcome = experiment.run_guided(meanings.as_ref())?;
        let pictures = experiment.pictures(&outcome.found)?;
        let named = named_right(&mut bench.namer, &names, &batches, &outcome.found, &pictures)?;
        let of_batch = |i: usize| {
            let compared = compare(&batches[i].pictures, &pictures[i])?;
            Ok(OfBatch {
                ssim: compared.ssim.one_to_one,
                psnr: compared.psnr.one_to_one,
                named: named[i],
                objective: f64::from(outcome.found[i].best().objective),
            })
        };
        (0..batches.len()).map(of_batch).collect()
    }
}

/// Share of each batch's indices named right, from it alone.
fn named_right(
    namer: &mut Namer,
    names: &[Option<String>],
    batches: &[ClientBatch],
    found: &[Reconstruction],
    pictures: &[Vec<Picture>],
) -> anyhow::Result<Vec<f64>> {
    let truth = Truth::new(names, &namer.labels);
    let mut shares = vec![];
    for ((batch, found), pictures) in batches.iter().zip(found).zip(pictures) {
        let shown = pictures.iter().map(|p| ("a reconstruction".to_string(), Ok(p.clone())));
        let rows = namer.rows(shown.collect::<Vec<_>>().into_iter(), &mut |_, _, _| ())?;
        let seen = [Seen { indices: found.labels.clone(), rows: rows.probabilities }];
        let present = [batch.labels.iter().copied().collect::<BTreeSet<usize>>()];
        let scorer = Scorer { seen: &seen, present: &present, truth: &truth, weights: &[1.0] };
        let (right, of) = scorer.right(Assignment::Greedy, &[0])?;
        shares.push(right as f64 / of.max(1) as f64);
    }
    Ok(shares)
}

/// Every size without guidance, then towards both kinds of names at every weight.
fn arms(sizes: &[usize], weights: &[f64]) -> Vec<Arm> {
    let of_size = |&batch_size: &usize| {
        let guided = weights.iter().flat_map(move |&weight| {
            [Towards::TrueNames, Towards::OtherNames].map(|towards| (Some(weight), towards))
        });
        let all = [(None, Towards::Nothing)].into_iter().chain(guided);
        all.map(move |(weight, towards)| Arm { batch_size, weight, towards })
    };
    sizes.iter().flat_map(of_size).collect()
}
