//! What names add that guide a reconstruction: the same batches attacked without guidance, towards their true names, and
//! towards names of other classes. All have the same starts, budget and labels; arms that are finished are kept.

mod plots;
mod table;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Serialize;

pub use self::table::{Arm, Measured, OfBatch, Row, Towards};
use self::table::{csv, rows};
use crate::{
    attack::guidance::Guidance,
    audit::{Attacked, Audit, AuditError, ClientBatch, Meanings, NamingModel, Outcome, read_batches},
    clip::zero_shot::Namer,
    data::{BatchRule, DataError, Dataset, atomic},
    device::{Device, DeviceInfo},
    files::{outgoing, program},
    metrics::compare,
    report::Skipped,
    semantic::{Assignment, ClassOrder, Scorer, Seen, Truth},
    sweep::{Configuration, Journal, SweepError},
    watch::{Silent, Watch},
};

const JOURNAL: &str = "journal.jsonl";
const RESULTS: &str = "guidance.csv";

/// Which attacks are compared.
pub struct GuidanceStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// Where the clients' pictures come from.
    pub dataset: &'a Dataset,
    /// What guides, and reads the names: no independent witness of what it has pulled at.
    pub model: &'a NamingModel,
    /// `B`s
    pub sizes: Vec<usize>,
    /// `M` of each size.
    pub batches: usize,
    /// Which pictures make up a batch.
    pub rule: BatchRule,
    /// Values of λ.
    pub weights: Vec<f64>,
    /// How λ falls; its weight does not count.
    pub schedule: Guidance,
}

/// The study as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct GuidanceReport {
    /// The program: `gia-gpu`.
    pub tool: &'static str,
    /// The program's.
    pub version: &'static str,
    /// Of batches, noise and starts.
    pub seed: u64,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What decides the results.
    pub configuration: Configuration,
    /// One an arm.
    pub rows: Vec<Row>,
    /// Batches of which nothing could be read, with the arms that leave them out.
    pub skipped: Vec<(Arm, Skipped)>,
    /// `M`
    #[serde(skip)]
    pub batches: usize,
    /// Files that a person wants to look at.
    #[serde(skip)]
    pub written: Vec<PathBuf>,
}

/// The experiment that all arms vary.
struct Scene<'n> {
    /// Class indices in `order`.
    audit: Audit,
    order: ClassOrder,
    namer: Namer<'n>,
}

impl GuidanceStudy<'_> {
    /// Measures the arms that `out` does not hold yet, and writes tables and plots there. `audit`: classes in the data
    /// set's order; `namer`: the model, ready.
    pub fn run(
        &self,
        mut audit: Audit,
        namer: Namer,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<GuidanceReport, SweepError> {
        if self.batches == 0 || self.sizes.contains(&0) {
            return Err(SweepError::Nothing { what: "batches of a study and their pictures" });
        }
        let (names, classes) = (self.dataset.class_names.len(), audit.victim.model.classes);
        if names != classes {
            return Err(AuditError::misuse(format!(
                "--classes: expected {names}, as many as {} has names, found {classes}: pictures are drawn to the names of \
                 all classes",
                self.dataset.name
            ))
            .into());
        }
        let arms = arms(&self.sizes, &self.weights);
        self.sizes.iter().try_for_each(|&size| self.chosen(size, audit.seed).map(drop))?;
        let order = ClassOrder::shuffled(audit.victim.model.classes, audit.seed);
        order.apply(&mut audit.victim);
        let configuration = self.configuration(&audit, &namer)?;
        outgoing::make_folder(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?;
        let (mut journal, mut measured): (Journal, Vec<Measured>) =
            Journal::open(&out.join(JOURNAL), &configuration, &[])?;
        let mut scene = Scene { audit, order, namer };
        let results = out.join(RESULTS);
        for arm in &arms {
            if measured.iter().any(|m| m.arm == *arm) {
                continue;
            }
            let done = arms.iter().filter(|arm| measured.iter().any(|m| m.arm == **arm)).count();
            watch.note(&format!("{} of {}: {arm}", done + 1, arms.len()));
            let done = self.measure(&mut scene, *arm, watch)?;
            journal.append(&done)?;
            measured.push(done);
            let table =
                csv(&measured).map_err(|cause| SweepError::Results { path: results.clone(), cause })?;
            atomic::write_bytes(&results, &table)?;
        }
        let rows = rows(&arms, &measured);
        let plots = plots::write(out, &rows)?;
        let skipped = measured.iter().flat_map(|m| m.skipped.iter().map(|s| (m.arm, s.clone()))).collect();
        Ok(GuidanceReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed: scene.audit.seed,
            device: self.device.info(),
            configuration,
            rows,
            skipped,
            batches: self.batches,
            written: [results].into_iter().chain(plots).collect(),
        })
    }

    fn configuration(&self, audit: &Audit, namer: &Namer) -> Result<Configuration, SweepError> {
        let Audit { victim, attack, restarts, seed, .. } = audit;
        let schedule = Guidance { weight: 1.0, ..self.schedule };
        Ok(Configuration::default()
            .with("version of gia-gpu", env!("CARGO_PKG_VERSION"))
            .with("program", program::fingerprint()?)
            .with("device", self.device.info().facts())
            .with("data", format!("{}, {} pictures", self.dataset.name, self.dataset.len()))
            .with("victim", format!("{}, weights {}", victim.model.describe(), victim.fingerprint()))
            .with("attack", json(attack)?)
            .with("trials", restarts)
            .with("schedule", json(&schedule)?)
            .with("names", format!("{} by {}", namer.labels.join(","), namer.model()))
            .with("batches", format!("{}, labels {}", self.batches, self.rule))
            .with("seed", seed))
    }

    fn chosen(&self, batch_size: usize, seed: u64) -> Result<Vec<Vec<usize>>, SweepError> {
        let batches = self.batches;
        let chosen = self.dataset.random_batches(batch_size, batches, self.rule, seed);
        chosen.map_err(|cause| SweepError::Batches { batch_size, batches, cause })
    }

    /// One arm: its batches are captured, attacked, compared and named.
    fn measure(&self, scene: &mut Scene, arm: Arm, watch: &dyn Watch) -> Result<Measured, SweepError> {
        let Scene { audit, order, namer } = scene;
        audit.attack.guidance = arm.weight.map(|weight| Guidance { weight, ..self.schedule });
        let chosen = self.chosen(arm.batch_size, audit.seed)?;
        let mut batches = read_batches(self.dataset, &audit.victim, chosen)?;
        batches.iter_mut().for_each(|b| b.labels = order.indices(&b.labels));
        let names = order.names(&self.dataset.class_names);
        let told = match arm.towards {
            Towards::Nothing => None,
            Towards::TrueNames => Some(names.clone()),
            Towards::OtherNames => {
                let mut others = names.clone();
                others.rotate_left(1);
                Some(others)
            }
        };
        let held = |index| batches.iter().any(|b| b.labels.contains(&index));
        let meanings = told
            .map(|told| Meanings::oracle(&told).only(held).encoded(self.model, self.device, watch))
            .transpose()?;
        let Attacked { outcome, kept, skipped } =
            audit.run_possible(self.device, &batches, meanings.as_ref(), watch)?;
        for Skipped { batch, reason } in &skipped {
            watch.note(&format!("{arm}: batch {batch} is left out: {reason}"));
        }
        let Some(outcome) = outcome else { return Ok(Measured { arm, batches: vec![], skipped }) };
        let batches: Vec<ClientBatch> = kept.iter().map(|&i| batches[i].clone()).collect();
        let named = named_right(namer, &names, &batches, &outcome)?;
        let of_batch = |i: usize| {
            let compared = compare(&batches[i].pictures, &outcome.pictures[i]).map_err(AuditError::from)?;
            Ok(OfBatch {
                batch: kept[i],
                ssim: compared.ssim.one_to_one,
                psnr: compared.psnr.one_to_one,
                named: named[i],
                objective: f64::from(outcome.found[i].best().objective),
            })
        };
        let of_batches = (0..batches.len()).map(of_batch).collect::<Result<_, SweepError>>()?;
        Ok(Measured { arm, batches: of_batches, skipped })
    }
}

/// Share of each batch's indices named right, from it alone.
fn named_right(
    namer: &mut Namer,
    names: &[Option<String>],
    batches: &[ClientBatch],
    outcome: &Outcome,
) -> Result<Vec<f64>, AuditError> {
    let truth = Truth::new(names, &namer.labels);
    let mut shares = vec![];
    for ((batch, found), pictures) in batches.iter().zip(&outcome.found).zip(&outcome.pictures) {
        let shown = pictures.iter().map(|p| ("a reconstruction".to_string(), Ok(p.clone())));
        let rows = namer.rows(shown, &Silent)?;
        let seen = [Seen { indices: found.labels.clone(), rows: rows.probabilities }];
        let present = [batch.labels.iter().copied().collect::<BTreeSet<usize>>()];
        let scorer = Scorer { seen: &seen, present: &present, truth: &truth, weights: &[1.0] };
        let (right, of) = scorer.right(Assignment::Greedy, &[0])?;
        shares.push(right as f64 / of.max(1) as f64);
    }
    Ok(shares)
}

fn json(value: &impl Serialize) -> Result<String, SweepError> {
    let unwritable =
        |cause: serde_json::Error| DataError::Unwritable { path: JOURNAL.into(), cause: cause.into() };
    Ok(serde_json::to_string(value).map_err(unwritable)?)
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
