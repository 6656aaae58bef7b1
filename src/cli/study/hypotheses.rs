//! `gia-gpu study hypotheses`

use std::path::PathBuf;

use clap::Args;

use super::super::{
    clients::{ClientOptions, check_out},
    clip_options::{CandidateNames, ClipOptions},
    data_options::DataOptions,
    defence_options::DefenceOptions,
    guidance_options::GuidanceOptions,
    help::group,
    judge_options::JudgeOptions,
    misuse,
    model_options::VictimOptions,
    options::{DeviceOptions, NormalisationOptions, at_least_one, count_to},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
    spelled::spelled,
    sweep::named,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{
        config::{AttackConfig, Parameterisation},
        preset::Preset,
    },
    audit::{GeneratorChoice, NamingModel, guidable},
    clip::zero_shot::check_labels,
    data::Dataset,
    hypotheses::{Comparison, HypothesesError},
    nn::architecture::depth,
    study::{HypothesesStudy as Study, hypotheses::StudyError},
};

/// Which comparison of hypotheses tells the true names.
///
/// The same batches and candidates under every comparison of `guide --compare`, beside chance, naming without guidance, and all
/// together. A finished comparison is kept, an interrupted one goes on with the same command.
#[derive(Args)]
#[command(
    next_help_heading = group::INPUT,
    after_help = "Example: gia-gpu study hypotheses --data cifar/test --batch 2 --batch-labels distinct --batches 40 --distractors 2 \
                  --one-to-one --compare constant,conditional,features,free --generator generator.safetensors --public \
                  cifar/train --calibrate 40 --guide-weight 0.02 --guide-views 8 --parameterisation pyramid --out hypotheses"
)]
pub(crate) struct HypothesesStudy {
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    victim: VictimOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    defence: DefenceOptions,
    #[command(flatten)]
    threat: ThreatOptions,
    /// Comparisons, separated by commas
    #[arg(long, value_name = "C,C", default_value = "constant,features,free", help_heading = group::NAMING)]
    compare: String,
    /// Class-conditional generator, for the comparison conditional: builtin or a file
    ///
    /// Without it the built-in one, where it fits the victim and is granted.
    #[arg(long, value_name = "builtin|FILE", help_heading = group::ATTACK)]
    generator: Option<GeneratorChoice>,
    #[command(flatten)]
    guidance: GuidanceOptions,
    /// How pictures are moved where names pull
    #[arg(long, value_name = "P", value_parser = spelled::<Parameterisation>(), default_value = "pixels", help_heading = group::ATTACK)]
    parameterisation: Parameterisation,
    /// Iterations of every attack
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = at_least_one(), help_heading = group::ATTACK)]
    iterations: usize,
    /// Restarts of every hypothesis
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count_to(4096), help_heading = group::ATTACK)]
    restarts: usize,
    #[command(flatten)]
    names: CandidateNames,
    /// Candidates of each batch: its true names and so many others
    #[arg(long, value_name = "N", help_heading = group::NAMING)]
    distractors: Option<usize>,
    /// No two indices may mean the same
    #[arg(long, help_heading = group::NAMING)]
    one_to_one: bool,
    /// Most hypotheses that are tried
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one(), help_heading = group::NAMING)]
    beam: usize,
    #[command(flatten)]
    clip: ClipOptions,
    #[command(flatten)]
    judge: JudgeOptions,
    /// Public pictures with names, for the comparison features and for calibration
    #[arg(long, value_name = "DIR", help_heading = group::NAMING)]
    public: Option<PathBuf>,
    /// Gradients of public pictures that leads of attacks are held against
    ///
    /// Without it none.
    #[arg(long, value_name = "N", value_parser = count_to(100_000), help_heading = group::NAMING)]
    calibrate: Option<usize>,
    /// The same for the comparison features, which costs no attack
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = count_to(100_000), help_heading = group::NAMING)]
    calibrate_features: usize,
    /// Seed of batches, weights, class order, candidates and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for hypotheses.json and the journal
    #[arg(long, value_name = "DIR", default_value = "hypotheses", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl HypothesesStudy {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let dataset = self.data.open()?;
        check_out(self.data.data.as_deref(), &self.out)?;
        let comparisons = self.comparisons()?;
        let names = self.names.of(Some(&dataset.class_names)).unwrap_or_default();
        let names = check_labels(&names).map_err(|error| self.names.error(error))?;
        let model = NamingModel { encoder: self.clip.open()?, names, templates: self.clip.templates()? };
        let judge = self.judge.open(&model)?;
        let given = self.public.as_deref().map(Dataset::open).transpose()?;
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            generator: (self.generator.as_ref(), None),
            labels_given: false,
            shuffled: true,
            restarts: self.restarts,
            seed: self.seed,
        };
        let conditional = comparisons.iter().find(|(comparison, _)| *comparison == Comparison::Conditional);
        let (_, config) = conditional.unwrap_or(&comparisons[0]);
        let (audit, clients) = options.open(&dataset, config.clone())?;
        let gradients = self.calibrate.unwrap_or(0);
        let wanted = gradients > 0 || comparisons.iter().any(|(c, _)| *c == Comparison::Features);
        let public = match wanted {
            true => audit.public(given.as_ref(), &model.names, Some(&clients))?,
            false => None,
        };
        if gradients > 0 && public.is_none() {
            return Err(misuse(
                "--calibrate needs public pictures with the candidate names: give --public DIR",
            ));
        }
        let device = self.device.open_spread()?;
        let study = Study {
            device: &*device,
            model: &model,
            judge: judge.as_ref(),
            comparisons,
            distractors: self.distractors,
            one_to_one: self.one_to_one,
            beam: self.beam,
            public: public.map(|public| public.halves()),
            gradients,
            feature_gradients: self.calibrate_features,
        };
        let report = study.run(audit, &clients, &self.out, &Terminal).map_err(study_error)?;
        if self.json { print_json(&report) } else { print_line(report.table()) }
    }

    /// Each with its attack.
    fn comparisons(&self) -> anyhow::Result<Vec<(Comparison, AttackConfig)>> {
        let mut all: Vec<(Comparison, AttackConfig)> = vec![];
        for text in self.compare.split(',') {
            let comparison: Comparison =
                text.trim().parse().map_err(|error| misuse(format!("--compare: {error}")))?;
            if all.iter().any(|(other, _)| *other == comparison) {
                return Err(misuse(format!("--compare: {comparison} stands twice")));
            }
            let preset = if comparison == Comparison::Conditional { Preset::Gias } else { Preset::Ig };
            let mut config =
                AttackConfig::preset(preset.name(), depth(self.victim.model.name())).map_err(misuse)?;
            config.iterations = self.iterations;
            if comparison.pulls() {
                config.sought = self.parameterisation.into();
                config.guidance = Some(self.guidance.guidance_or(comparison.schedule())?);
            }
            comparison
                .configure(&mut config)
                .map_err(|error| misuse(format!("--compare {comparison}: {error}")))?;
            guidable(&config)?;
            config.check().map_err(misuse)?;
            all.push((comparison, config));
        }
        Ok(all)
    }
}

fn study_error(error: StudyError) -> anyhow::Error {
    match error {
        StudyError::Sweep(error) => named(error),
        StudyError::Hypotheses(HypothesesError::Audit(error)) => (*error).into(),
        StudyError::Hypotheses(error) => misuse(format!("--compare {error}")),
        error => error.into(),
    }
}
