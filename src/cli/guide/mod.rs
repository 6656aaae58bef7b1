//! `gia-gpu guide`: names of label indices from guidance. Every assignment of candidate names guides a reconstruction of
//! its own, from the same starts and with the same budget; believed is the one that explains the gradient best.

mod given;
mod simulated;

use std::path::PathBuf;

use clap::Args;

use super::{
    attack_options::AttackOptions,
    clip_options::{CandidateNames, ClipOptions},
    comparison_options::{ComparisonOptions, PublicParts},
    data_options::DataOptions,
    defence_options::DefenceOptions,
    destination::{ForceOption, destination, written},
    guidance_options::GuidanceOptions,
    help::group,
    judge_options::JudgeOptions,
    misuse,
    model_options::VictimOptions,
    note,
    observed::ObservedOptions,
    options::{DeviceOptions, NormalisationOptions},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
    resume_options::{self, ResumeOptions},
    signals,
    threat_options::ThreatOptions,
    verdict,
};
use crate::{
    attack::{config::AttackConfig, invert::Target, preset::Preset},
    audit::{AuditError, NamingModel, guidable},
    clip::zero_shot::{Namer, check_labels},
    device::Device,
    files::claim::Destination,
    hypotheses::{
        Candidates, Comparison, Evidence, Explanation, Found, HypothesesError, Reader, Search, readers,
    },
    report::{OutputFolder, Skipped},
};

/// Say what label indices mean by trying names as hypotheses.
///
/// Every assignment of candidate names to the restored indices is tried as a hypothesis, and the one whose pictures explain
/// the gradient best is believed.
///
/// A hypothesis draws the pictures of each index towards its name while they are matched to the gradient; then the pull
/// goes to 0 and matching alone goes on. Hypotheses are ranked by the loss of gradient matching that is left. All have
/// the same starts and the same budget, and run as trials of the same plans.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu guide --batch 2 --batch-labels distinct --names Sandal,Bag,Shirt --one-to-one\n  \
                  gia-gpu guide --data cifar-10-batches-bin --batch 2 --batch-labels distinct --batches 40 \
                  --distractors 2 --one-to-one --restarts 4 --out guided\n  gia-gpu guide --gradient g.safetensors \
                  --weights victim.safetensors --names dog,cat,ship"
)]
pub(crate) struct Guide {
    #[command(flatten)]
    data: DataOptions,
    /// Observed gradients or updates, in place of pictures
    ///
    /// Safetensors or .npz files of one victim, each a batch; needs --weights and --names.
    #[arg(long, value_name = "FILE", num_args = 1.., requires_all = ["weights", "names"], help_heading = group::INPUT,
          conflicts_with_all = ["data", "class_names", "batches", "batch_labels", "shuffle", "defence", "adaptive", "distractors"])]
    gradient: Vec<PathBuf>,
    #[command(flatten)]
    observed: ObservedOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    defence: DefenceOptions,
    #[command(flatten)]
    threat: ThreatOptions,
    #[command(flatten)]
    attack: AttackOptions,
    #[command(flatten)]
    guidance: GuidanceOptions,
    #[command(flatten)]
    comparison: ComparisonOptions,
    #[command(flatten)]
    names: CandidateNames,
    /// Candidates of each batch: its true names and so many others
    ///
    /// The others are drawn from the names by seed. It measures how well the truth is told from them; an eavesdropper has no
    /// such list.
    #[arg(long, value_name = "N", help_heading = group::NAMING)]
    distractors: Option<usize>,
    /// No two indices may mean the same
    #[arg(long, help_heading = group::NAMING)]
    one_to_one: bool,
    /// Most hypotheses that are tried
    ///
    /// Those that the unguided reconstruction makes most likely.
    #[arg(long, value_name = "N", default_value_t = 100, help_heading = group::NAMING)]
    beam: usize,
    #[command(flatten)]
    clip: ClipOptions,
    #[command(flatten)]
    judge: JudgeOptions,
    /// Seed of weights, class order, starts and distractors
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for report.html, report.json, images/ and grid.png
    ///
    /// The pictures are those of the hypotheses believed. NAME[-N] is the first of NAME, NAME-2, … that is free. A folder that
    /// is given is this run's alone until it ends.
    #[arg(long, value_name = "DIR", default_value = "guided[-N]", value_parser = destination(), help_heading = group::OUTPUT)]
    out: Destination,
    #[command(flatten)]
    force: ForceOption,
    #[command(flatten)]
    resume: ResumeOptions,
    /// Print the report as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Guide {
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        self.data.batch = self.data.batch.or(self.protocol.pictures());
        if self.beam == 0 {
            return Err(named(HypothesesError::NoBeam));
        }
        self.resume.watch_for_the_end();
        match self.gradient.is_empty() {
            true => self.simulate(),
            false => self.take(),
        }
    }

    /// The model, and the names that `--names` gives, or the data set.
    fn model(&self, class_names: Option<&[String]>) -> anyhow::Result<NamingModel> {
        let names = self.names.of(class_names).unwrap_or_default();
        let names = check_labels(&names).map_err(|error| self.names.error(error))?;
        Ok(NamingModel { encoder: self.clip.open()?, names, templates: self.clip.templates()? })
    }

    /// The model with its names encoded, for about so many pictures.
    fn namer<'m>(
        &self,
        device: &'m dyn Device,
        model: &'m NamingModel,
        pictures: usize,
    ) -> anyhow::Result<Namer<'m>> {
        let namer = model.namer(device, pictures, &Terminal).map_err(|error| match error {
            AuditError::Clip(error) => self.names.error(error),
            error => error.into(),
        })?;
        namer.notes.iter().for_each(|text| note(text));
        Ok(namer)
    }

    fn search<'a>(
        &self,
        device: &'a dyn Device,
        model: &'a NamingModel,
        candidates: Candidates<'a>,
        public: &'a PublicParts,
    ) -> Search<'a> {
        Search {
            device,
            model,
            candidates,
            one_to_one: self.one_to_one,
            beam: self.beam,
            comparison: self.comparison.compare,
            features: public.features(),
            calibrate: public.calibrate(),
        }
    }

    /// The attack, as its comparison wants it; `preset`: where none is given.
    fn configured(&self, mut config: AttackConfig) -> anyhow::Result<AttackConfig> {
        let compare = self.comparison.compare;
        guidable(&config)?;
        config.guidance = match compare.pulls() {
            true => Some(self.guidance.guidance_or(compare.schedule())?),
            false => None,
        };
        self.comparison.configure(&mut config, !self.guidance.is_default())?;
        Ok(config)
    }

    /// The preset where none is given.
    fn preset(&self) -> Preset {
        if self.comparison.compare == Comparison::Conditional { Preset::Gias } else { Preset::Ig }
    }

    /// What both readers read, and what is to be said of it.
    fn read<'n>(
        &self,
        (evidence, search, found): (&Evidence, &Search, &Found),
        namer: &mut Namer<'n>,
        judge: Option<(&NamingModel, &mut Namer<'n>)>,
    ) -> anyhow::Result<(Vec<Reader>, Vec<String>)> {
        let pulled = self.comparison.compare.pulls();
        let notes = readers::notes(pulled, namer, judge.as_ref().map(|(_, judge)| &**judge));
        notes.iter().for_each(|text| note(text));
        let mut all = vec![(search.model, namer)];
        all.extend(judge);
        Ok((readers::read(evidence, search, found, pulled, &mut all).map_err(named)?, notes))
    }

    /// Refuses, before anything is attacked, candidates that cannot be tried.
    fn check(&self, candidates: &Candidates, batches: &[&[usize]]) -> anyhow::Result<()> {
        let mut all = batches.iter().enumerate();
        all.try_for_each(|(number, labels)| candidates.check(number, labels, self.one_to_one)).map_err(named)
    }

    /// Tries all hypotheses. Told to stop, it ranks nothing: some would have been tried longer than others.
    fn searched(
        &self,
        folder: &OutputFolder,
        search: &Search,
        evidence: &Evidence,
        targets: &[Target],
        namer: &mut Namer,
    ) -> anyhow::Result<Found> {
        let found = search.run(evidence, targets, namer, &Terminal).map_err(named);
        if let Some(checkpoints) = evidence.audit.checkpoints.as_ref().filter(|_| signals::is_stopped()) {
            resume_options::end(checkpoints, true);
            return Err(signals::stopped(format!(
                "stopped early: {} has how far it came, and --resume goes on",
                folder.path().display()
            )));
        }
        found
    }

    /// Writes and prints what was found.
    fn finish(&self, explanation: &Explanation, folder: OutputFolder) -> anyhow::Result<()> {
        let [html, _] = written(folder.path());
        let report = explanation.write(folder)?;
        if let Some(checkpoints) = &explanation.evidence.audit.checkpoints {
            resume_options::end(checkpoints, false);
        }
        if self.json {
            return print_json(&report);
        }
        let verdict = verdict::of(&report.head.verdict);
        print_line(format!("{verdict}\n\n{}\nwrote {}", report.table(), html))
    }
}

/// Fails where every batch was left out.
fn some_left(kept: &[usize], skipped: &[Skipped]) -> anyhow::Result<()> {
    match skipped.first() {
        Some(first) if kept.is_empty() => Err(anyhow::anyhow!("{}", first.reason)),
        _ => Ok(()),
    }
}

/// The error with the option that it is about.
fn named(error: HypothesesError) -> anyhow::Error {
    match error {
        HypothesesError::NoCandidate { .. } | HypothesesError::Distractors { .. } => {
            misuse(format!("--distractors: {error}"))
        }
        HypothesesError::TooFewNames { .. } => misuse(format!("--one-to-one: {error}")),
        HypothesesError::NoBeam => misuse(format!("--beam: {error}")),
        HypothesesError::NoGenerator
        | HypothesesError::NoClasses
        | HypothesesError::UnknownClass { .. }
        | HypothesesError::NoPublic
        | HypothesesError::NoFeatures { .. } => misuse(format!("--compare {error}")),
        HypothesesError::NoOthers { .. } => misuse(format!("--calibrate: {error}")),
        HypothesesError::Audit(error) => (*error).into(),
    }
}
