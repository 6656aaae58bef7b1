//! Which comparison of hypotheses tells the true names: the same batches and candidates under each, beside chance and beside
//! naming without guidance, and what several say together. A comparison that is finished is kept, and one that was interrupted
//! goes on.

mod table;
mod together;

use std::{path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use self::together::{OfHypothesis, Together};
use crate::{
    attack::{checkpoint::Checkpoints, config::AttackConfig},
    audit::{
        Audit, AuditError, Captured, Clients, FeatureNames, NamingModel, Public, Readable, public::public_use,
    },
    clip::zero_shot::Namer,
    data::{DataError, atomic},
    device::{Device, DeviceInfo},
    files::{outgoing, program},
    hypotheses::{
        Calibrate, Candidates, Comparison, Evidence, Explanation, HypothesesError, Search, calibration,
        readers, tally,
    },
    report::Skipped,
    sweep::{Configuration, Journal, SweepError},
    watch::Watch,
};

const JOURNAL: &str = "journal.jsonl";
/// Between two checkpoints.
const EVERY: Duration = Duration::from_secs(60);

/// What is compared, and how.
pub struct HypothesesStudy<'a> {
    /// What computes.
    pub device: &'a dyn Device,
    /// What compares pictures with names, and all names.
    pub model: &'a NamingModel,
    /// What reads beside it.
    pub judge: Option<&'a NamingModel>,
    /// Each with its attack.
    pub comparisons: Vec<(Comparison, AttackConfig)>,
    /// Candidates beside the true names.
    pub distractors: Option<usize>,
    /// Whether no two indices may share a name.
    pub one_to_one: bool,
    /// Most hypotheses that are tried for a batch.
    pub beam: usize,
    /// Pictures with names that anybody may have: one half says what features mean, gradients of the other what leads are worth.
    pub public: Option<[Public; 2]>,
    /// Gradients of them for each comparison; 0: none.
    pub gradients: usize,
    /// The same for the comparison by features, which costs no attack.
    pub feature_gradients: usize,
}

/// The study as JSON.
#[derive(Clone, Debug, Serialize)]
pub struct HypothesesReport {
    /// The program: `gia-gpu`.
    pub tool: &'static str,
    /// The program's.
    pub version: &'static str,
    /// Of batches, candidates and starts.
    pub seed: u64,
    /// Where it was computed.
    pub device: DeviceInfo,
    /// What decides the results.
    pub configuration: Configuration,
    /// Batches that could be judged.
    pub batches: usize,
    /// What a blind ranking puts first.
    pub chance_first: f64,
    /// What a blind ranking puts among the first three.
    pub chance_top_3: f64,
    /// In order.
    pub comparisons: Vec<Compared>,
    /// What several say together.
    pub together: Vec<Together>,
}

/// What one comparison came to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    /// How hypotheses were compared.
    pub comparison: Comparison,
    /// Of each batch that can be judged, its hypotheses.
    pub batches: Vec<Vec<OfHypothesis>>,
    /// What leads were held against, as in `report.json` of `guide`.
    pub calibration: Option<serde_json::Value>,
    /// How often the posterior was right.
    pub reliability: Option<serde_json::Value>,
    /// Who read the pictures.
    pub readers: serde_json::Value,
    /// Batches claimed, of those that could be judged.
    pub claimed: Option<usize>,
    /// Wall time.
    pub seconds: f64,
    /// Batches of which nothing could be read.
    pub skipped: Vec<Skipped>,
}

/// Why the study fails.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// Journal, configuration or folder.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// A comparison.
    #[error(transparent)]
    Hypotheses(#[from] HypothesesError),
    /// It was told to stop.
    #[error("stopped early: the same command goes on")]
    Stopped,
}

impl From<AuditError> for StudyError {
    fn from(error: AuditError) -> Self {
        HypothesesError::from(error).into()
    }
}

impl HypothesesStudy<'_> {
    /// Compares what `out` does not hold yet. `audit`: class indices as the clients have them; its attack does not count.
    ///
    /// # Errors
    /// A comparison that is not granted, or has nothing to learn from; what an attack refuses.
    pub fn run(
        &self,
        mut audit: Audit,
        clients: &Clients,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<HypothesesReport, StudyError> {
        if self.comparisons.is_empty() || clients.batches.is_empty() {
            return Err(SweepError::Nothing { what: "comparisons of a study and their batches" }.into());
        }
        let features = match &self.public {
            Some([learning, _]) if self.comparisons.iter().any(|(c, _)| *c == Comparison::Features) => {
                Some(audit.feature_names(self.device, learning)?)
            }
            _ => None,
        };
        for (comparison, config) in &self.comparisons {
            audit.attack = config.clone();
            self.search(*comparison, clients, audit.seed, features.as_ref()).check(&audit)?;
        }
        let configuration = self.configuration(&audit, clients)?;
        outgoing::make_folder(out)
            .map_err(|cause| SweepError::from(DataError::Unwritable { path: out.to_owned(), cause }))?;
        let (mut journal, mut measured): (Journal, Vec<Compared>) =
            Journal::open(&out.join(JOURNAL), &configuration, &[])?;
        for (comparison, config) in &self.comparisons {
            if measured.iter().any(|m| m.comparison == *comparison) {
                continue;
            }
            watch.note(&format!("{comparison}: {}", comparison.measure()));
            audit.attack = config.clone();
            let found = self.compare(&mut audit, *comparison, clients, features.as_ref(), out, watch)?;
            journal.append(&found)?;
            measured.push(found);
        }
        measured.sort_by_key(|m| self.comparisons.iter().position(|(c, _)| *c == m.comparison));
        let chance = tally::chance(measured[0].batches.first().and_then(|batch| batch[0].hypotheses_in_all));
        let report = HypothesesReport {
            tool: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            seed: audit.seed,
            device: self.device.info(),
            configuration,
            batches: measured[0].batches.len(),
            chance_first: chance[0],
            chance_top_3: chance[1],
            together: together::all(&measured),
            comparisons: measured,
        };
        let json = serde_json::to_vec_pretty(&report).map_err(|cause| {
            SweepError::from(DataError::Unwritable { path: out.join("hypotheses.json"), cause: cause.into() })
        })?;
        atomic::write_bytes(&out.join("hypotheses.json"), &json).map_err(SweepError::from)?;
        Ok(report)
    }

    fn search<'s>(
        &'s self,
        comparison: Comparison,
        clients: &'s Clients,
        seed: u64,
        features: Option<&'s FeatureNames>,
    ) -> Search<'s> {
        let (names, truth, distractors) = (&self.model.names[..], &clients.names[..], self.distractors);
        let gradients = if comparison.attacks() { self.gradients } else { self.feature_gradients };
        let public = self.public.as_ref().map(|[_, calibrating]| calibrating);
        Search {
            device: self.device,
            model: self.model,
            candidates: Candidates { names, truth, distractors, seed },
            one_to_one: self.one_to_one,
            beam: self.beam,
            comparison,
            features,
            calibrate: public.filter(|_| gradients > 0).map(|public| Calibrate { public, gradients }),
        }
    }

    fn compare(
        &self,
        audit: &mut Audit,
        comparison: Comparison,
        clients: &Clients,
        features: Option<&FeatureNames>,
        out: &Path,
        watch: &dyn Watch,
    ) -> Result<Compared, StudyError> {
        let at = out.join(format!("{comparison}.checkpoint"));
        let fingerprint = program::fingerprint().map_err(SweepError::from)?;
        let checkpoints = Arc::new(Checkpoints::new(&at, EVERY, fingerprint, Checkpoints::exists(&at)));
        audit.checkpoints = Some(Arc::clone(&checkpoints));
        let search = self.search(comparison, clients, audit.seed, features);
        let started = std::time::Instant::now();
        let pictures = clients.batch() * clients.batches.len();
        let mut namer = self.model.namer(self.device, pictures, watch)?;
        let mut judge: Option<Namer> =
            self.judge.map(|judge| judge.namer(self.device, pictures, watch)).transpose()?;
        let Captured { losses, targets } = audit.capture(self.device, &clients.batches, watch)?;
        let (Readable { targets, kept, skipped }, _) = audit.readable(clients.batch(), targets)?;
        let batches = kept.iter().map(|&i| clients.batches[i].clone()).collect();
        let clients = Clients { batches, ..clients.clone() };
        let uses =
            if search.calibrate.is_some() || !comparison.attacks() { vec![public_use()] } else { vec![] };
        let evidence = Evidence {
            audit,
            threat_model: audit.granted(&uses)?,
            batch: clients.batch(),
            data: clients.data.clone(),
            clients: Some(&clients),
            losses: kept.iter().map(|&i| losses[i]).collect(),
            skipped: skipped.clone(),
        };
        let found = search.run(&evidence, &targets, &mut namer, watch);
        if watch.is_stopped() {
            let _ = checkpoints.end(true);
            return Err(StudyError::Stopped);
        }
        let found = found?;
        let mut all = vec![(self.model, &mut namer)];
        all.extend(self.judge.zip(judge.as_mut()));
        let readers = readers::read(&evidence, &search, &found, comparison.pulls(), &mut all)?;
        let explanation = Explanation {
            evidence: &evidence,
            search: &search,
            found: &found,
            readers: &readers,
            notes: &[],
            command: vec![],
        };
        let report = explanation.report()?;
        if let Err(error) = checkpoints.end(false) {
            watch.warning(&format!("a checkpoint stays: {error}"));
        }
        let judged: Vec<_> = report.batches.iter().filter(|batch| batch.judged.is_some()).collect();
        Ok(Compared {
            comparison,
            claimed: report
                .calibration
                .is_some()
                .then(|| judged.iter().filter(|b| b.claimed == Some(true)).count()),
            batches: judged.iter().map(|batch| together::of(batch)).collect(),
            calibration: report.calibration.as_ref().map(|record| json!(record)),
            reliability: report.reliability.as_ref().map(|found| json!(found)),
            readers: json!(report.readers),
            seconds: started.elapsed().as_secs_f64(),
            skipped,
        })
    }

    fn configuration(&self, audit: &Audit, clients: &Clients) -> Result<Configuration, SweepError> {
        let attacks: Vec<String> =
            self.comparisons.iter().map(|(c, config)| format!("{c}: {config:?}")).collect();
        let public = self.public.as_ref().map_or("none".into(), |[one, other]| {
            format!("{} and {} pictures of {}", one.len(), other.len(), one.source)
        });
        let batches: Vec<&[usize]> = clients.batches.iter().map(|batch| &batch.indices[..]).collect();
        Ok(Configuration::default()
            .with("version of gia-gpu", env!("CARGO_PKG_VERSION"))
            .with("program", program::fingerprint()?)
            .with("device", self.device.info().facts())
            .with("data", format!("{}, batches {batches:?}", clients.data))
            .with(
                "victim",
                format!("{}, weights {}", audit.victim.model.describe(), audit.victim.fingerprint()),
            )
            .with("attacks", attacks.join("; "))
            .with("generator", format!("{:?}", audit.generator))
            .with("trials", audit.restarts)
            .with("names", format!("{} by {}", self.model.names.join(","), self.model.encoder.model()))
            .with("judge", self.judge.map_or("none".into(), |judge| judge.encoder.model()))
            .with(
                "candidates",
                format!("{:?} others, one to one {}, beam {}", self.distractors, self.one_to_one, self.beam),
            )
            .with("public", format!("{public}; {} and {} gradients", self.gradients, self.feature_gradients))
            .with("false positives", calibration::FALSE_POSITIVES)
            .with("seed", audit.seed))
    }
}
