//! What names add that guide a reconstruction: the same batches attacked without guidance, towards their true names, and
//! towards names of other classes. All have the same starts, budget and labels; arms that are finished are kept. Settings are
//! compared on some batches, and what the best of them adds is said of others.

mod arms;
mod confirm;
mod measure;
mod plots;
mod table;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::{
    arms::{Arm, Moved, Phase, Setting, Towards},
    confirm::{Confirmed, Metric, Selected},
    table::{Measured, OfBatch, Row},
};
use self::{
    arms::{confirmation, selection},
    confirm::{confirmed, selected},
    table::{csv, rows},
};
use crate::{
    attack::{
        config::{AttackConfig, GeneratorClass},
        guidance::Guidance,
        preset::Preset,
    },
    audit::{Audit, AuditError, NamingModel, choose_generator},
    clip::zero_shot::Namer,
    data::{BatchRule, DataError, Dataset, atomic, place_of_name},
    device::{Device, DeviceInfo},
    files::{outgoing, program},
    metrics::lpips::Lpips,
    report::Skipped,
    semantic::ClassOrder,
    sweep::{Configuration, Journal, SweepError},
    watch::Watch,
};

const JOURNAL: &str = "journal.jsonl";
const RESULTS: &str = "guidance.csv";

/// Which attacks are compared.
pub struct GuidanceStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// Where the clients' pictures come from.
    pub dataset: &'a Dataset,
    /// What guides, each with what to call it, and reads the names: no independent witness of what it has pulled at.
    pub models: &'a [(String, NamingModel)],
    /// `B`s
    pub sizes: Vec<usize>,
    /// `M` of each size.
    pub batches: usize,
    /// Which pictures make up a batch.
    pub rule: BatchRule,
    /// How names pull, of which each is tried.
    pub settings: Vec<Setting>,
    /// How λ falls; its weight and views do not count.
    pub schedule: Guidance,
    /// By what a setting is selected.
    pub select_by: Metric,
    /// New batches of each size, on which the selected setting is tried; 0: none.
    pub confirm: usize,
    /// How a network sees the pictures, where its weights are at hand.
    pub lpips: Option<&'a Lpips>,
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
    /// Models that pull, by their places in `arm.puller`.
    pub models: Vec<String>,
    /// What reads beside them.
    pub judge: Option<String>,
    /// What somebody who reads this should know.
    pub notes: Vec<String>,
    /// One an arm.
    pub rows: Vec<Row>,
    /// Of each batch size the setting whose true names add most.
    pub selected: Vec<Selected>,
    /// What these add on new batches; none where there are none.
    pub confirmed: Vec<Confirmed>,
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
    /// One a model that pulls.
    namers: Vec<Namer<'n>>,
    judge: Option<Namer<'n>>,
    /// Written so far.
    pictures: Vec<PathBuf>,
}

impl GuidanceStudy<'_> {
    /// Measures the arms that `out` does not hold yet, and writes tables and plots there. `audit`: classes in the data
    /// set's order; `namers`: the models, ready, and who reads beside them.
    pub fn run(
        &self,
        mut audit: Audit,
        (namers, judge): (Vec<Namer>, Option<Namer>),
        notes: Vec<String>,
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
        self.sizes.iter().try_for_each(|&size| self.all(size, audit.seed).map(drop))?;
        if self.settings.iter().any(|setting| setting.parameterisation.is_made()) {
            self.take_generator(&mut audit, watch)?;
        }
        let order = ClassOrder::shuffled(audit.victim.model.classes, audit.seed);
        order.apply(&mut audit.victim);
        let configuration = self.configuration(&audit, &namers, judge.as_ref())?;
        let models = self.models.iter().map(|(name, _)| name.clone()).collect();
        let called = self.reader(&namers, judge.as_ref()).map(Namer::model);
        outgoing::make_folder(out).map_err(|cause| DataError::Unwritable { path: out.to_owned(), cause })?;
        let (mut journal, mut measured): (Journal, Vec<Measured>) =
            Journal::open(&out.join(JOURNAL), &configuration, &[])?;
        let mut scene = Scene { audit, order, namers, judge, pictures: vec![] };
        let results = out.join(RESULTS);
        let mut arms = selection(&self.sizes, &self.settings);
        let mut kept = Kept { journal: &mut journal, measured: &mut measured, results: &results };
        self.measure_all(&mut scene, &arms, &mut kept, out, watch)?;
        let selected = selected(&self.sizes, self.select_by, kept.measured);
        if self.confirm > 0 {
            let further: Vec<Arm> =
                selected.iter().flat_map(|s| confirmation(s.batch_size, s.setting)).collect();
            self.measure_all(&mut scene, &further, &mut kept, out, watch)?;
            arms.extend(further);
        }
        let confirmed = if self.confirm > 0 { confirmed(&selected, &measured) } else { vec![] };
        let rows = rows(&arms, &measured);
        let plots = plots::write(out, &rows)?;
        let skipped = measured.iter().flat_map(|m| m.skipped.iter().map(|s| (m.arm, s.clone()))).collect();
        Ok(GuidanceReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed: scene.audit.seed,
            device: self.device.info(),
            configuration,
            models,
            judge: called,
            notes,
            rows,
            selected,
            confirmed,
            skipped,
            batches: self.batches,
            written: [results].into_iter().chain(plots).chain(scene.pictures).collect(),
        })
    }

    /// Whether a model pulls at pictures in any setting.
    fn pulls(&self) -> bool {
        self.settings.iter().any(|setting| setting.weight.is_some())
    }

    /// Who reads and did not pull: where nothing pulls the model itself.
    fn reader<'m, 'n>(&self, namers: &'m [Namer<'n>], judge: Option<&'m Namer<'n>>) -> Option<&'m Namer<'n>> {
        judge.or_else(|| namers.first().filter(|_| !self.pulls()))
    }

    /// The audit's generator, the built-in one where it has none; it must know the classes.
    fn take_generator(&self, audit: &mut Audit, watch: &dyn Watch) -> Result<(), AuditError> {
        if audit.generator.is_none() {
            let mut gias = made(audit, Moved::Latent);
            let (image, granted) = (audit.victim.image_shape(), audit.threat_model.as_ref());
            audit.generator = choose_generator(None, None, (&mut gias, image), granted, watch)?;
        }
        let known = audit.generator.as_ref().map_or(&[][..], |prior| &prior.class_names);
        match self.dataset.class_names.iter().find(|name| place_of_name(known, name).is_none()) {
            None => Ok(()),
            Some(name) => Err(AuditError::misuse(format!(
                "--parameterisations latent: expected a class-conditional generator of pictures as the victim takes that \
                 knows {name}, found {}: --preset gias --generator FILE gives another",
                if known.is_empty() { "none".into() } else { known.join(", ") }
            ))),
        }
    }

    /// The arms that are not there yet, one after another.
    fn measure_all(
        &self,
        scene: &mut Scene,
        arms: &[Arm],
        kept: &mut Kept,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<(), SweepError> {
        for arm in arms {
            if kept.measured.iter().any(|m| m.arm == *arm) {
                continue;
            }
            let done = arms.iter().filter(|arm| kept.measured.iter().any(|m| m.arm == **arm)).count();
            watch.note(&format!("{}, {} of {}: {arm}", arm.phase.name(), done + 1, arms.len()));
            let found = self.measure(scene, *arm, out, watch)?;
            kept.journal.append(&found)?;
            kept.measured.push(found);
            let table = csv(kept.measured)
                .map_err(|cause| SweepError::Results { path: kept.results.into(), cause })?;
            atomic::write_bytes(kept.results, &table)?;
        }
        Ok(())
    }

    fn configuration(
        &self,
        audit: &Audit,
        namers: &[Namer],
        judge: Option<&Namer>,
    ) -> Result<Configuration, SweepError> {
        let Audit { victim, attack, restarts, seed, .. } = audit;
        let schedule = Guidance { weight: 1.0, views: None, ..self.schedule };
        Ok(Configuration::default()
            .with("version of gia-gpu", env!("CARGO_PKG_VERSION"))
            .with("program", program::fingerprint()?)
            .with("device", self.device.info().facts())
            .with("data", format!("{}, {} pictures", self.dataset.name, self.dataset.len()))
            .with("victim", format!("{}, weights {}", victim.model.describe(), victim.fingerprint()))
            .with("attack", json(attack)?)
            .with("trials", restarts)
            .with("schedule", json(&schedule)?)
            .with("defences", format!("{:?}, adaptive {}", audit.defences, audit.adaptive))
            .with("names", namers[0].labels.join(","))
            .with("models", namers.iter().map(Namer::model).collect::<Vec<_>>().join(", "))
            .with("judge", self.reader(namers, judge).map_or("none".into(), Namer::model))
            .with("lpips", self.lpips.is_some())
            .with("batches", format!("{} and {}, labels {}", self.batches, self.confirm, self.rule))
            .with("seed", seed))
    }

    /// Batches of both phases, which have no picture in common.
    fn all(&self, batch_size: usize, seed: u64) -> Result<Vec<Vec<usize>>, SweepError> {
        let batches = self.batches.saturating_add(self.confirm);
        let chosen = self.dataset.random_batches(batch_size, batches, self.rule, seed);
        chosen.map_err(|cause| SweepError::Batches { batch_size, batches, cause })
    }

    fn chosen(&self, phase: Phase, batch_size: usize, seed: u64) -> Result<Vec<Vec<usize>>, SweepError> {
        let mut all = self.all(batch_size, seed)?;
        let further = all.split_off(self.batches);
        Ok(if phase == Phase::Selection { all } else { further })
    }
}

/// The audit's attack by a generator: as preset `gias` has it, with as many iterations in all.
fn made(audit: &Audit, moved: Moved) -> AttackConfig {
    let own = &audit.attack;
    let depth = audit.victim.model.depth();
    let gias = match own.sought.is_of_latents() {
        true => own.clone(),
        false => AttackConfig::preset(Preset::Gias.name(), depth).expect("the preset exists"),
    };
    let stages = if moved == Moved::LatentWeights { 2 } else { 1 };
    let iterations = (own.iterations / stages).max(1);
    let generator_class = Some(GeneratorClass::Open);
    AttackConfig {
        sought: moved.sought(),
        iterations,
        labels: own.labels,
        generator_class,
        guidance: None,
        ..gias
    }
}

fn json(value: &impl Serialize) -> Result<String, SweepError> {
    let unwritable =
        |cause: serde_json::Error| DataError::Unwritable { path: JOURNAL.into(), cause: cause.into() };
    Ok(serde_json::to_string(value).map_err(unwritable)?)
}

/// What was measured so far, and where it is kept.
struct Kept<'k> {
    journal: &'k mut Journal,
    measured: &'k mut Vec<Measured>,
    results: &'k Path,
}
