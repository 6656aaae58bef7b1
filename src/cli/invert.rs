//! `gia-gpu invert`

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{
    attack_options::AttackOptions,
    clip_options::ClipOptions,
    command_line,
    destination::{ForceOption, destination, written},
    example_options::ExampleOptions,
    help::group,
    misuse,
    model_options::ModelOptions,
    names_table,
    observation::{Attacking, Observing},
    observed::ObservedOptions,
    options::{DeviceOptions, NormalisationOptions, check_apart},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
    resume_options::{self, ResumeOptions},
    summary,
    threat_options::ThreatOptions,
    verdict,
};
use crate::{
    attack::{preset::Preset, threat::Use},
    audit::{
        Findings, Observation, Outcome, examples_use,
        naming::{Beside, Rule},
    },
    files::claim::Destination,
};

/// Attack a gradient file: restore labels where they are not given, and reconstruct the pictures.
#[derive(Args)]
#[command(next_help_heading = group::VICTIM, after_help = "Example: gia-gpu invert --arch lenet-zhu --weights victim.safetensors \
                  --gradient gradient.safetensors --out found")]
pub(crate) struct Invert {
    #[command(flatten)]
    model: ModelOptions,
    /// The victim's weights before training
    ///
    /// A safetensors or .npz file with PyTorch's state_dict.
    #[arg(long, value_name = "FILE", required_unless_present = "model")]
    weights: Option<PathBuf>,
    /// What was observed: gradients, an update, or a trained model
    ///
    /// A safetensors or .npz file.
    #[arg(long, value_name = "FILE", help_heading = group::INPUT)]
    gradient: PathBuf,
    #[command(flatten)]
    observed: ObservedOptions,
    #[command(flatten)]
    protocol: ProtocolOptions,
    #[command(flatten)]
    threat: ThreatOptions,
    /// Class indices of the pictures, as in 3,5, if the eavesdropper knows them
    #[arg(long, value_name = "L,L", allow_hyphen_values = true, help_heading = group::ATTACK)]
    labels: Option<String>,
    /// Pictures in the batch, where neither the gradient file nor --labels say; with --preset spear, the rank of the layer's
    /// gradient if nobody says
    #[arg(long, value_name = "N", help_heading = group::INPUT)]
    batch: Option<usize>,
    #[command(flatten)]
    attack: AttackOptions,
    #[command(flatten)]
    examples: ExampleOptions,
    #[command(flatten)]
    clip: ClipOptions,
    /// Seed of the reconstruction's start
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for report.html, report.json, images/ and grid.png
    ///
    /// NAME[-N] is the first of NAME, NAME-2, … that is free. A folder that is given is this run's alone until it ends.
    #[arg(long, value_name = "DIR", value_parser = destination(), help_heading = group::OUTPUT)]
    out: Destination,
    #[command(flatten)]
    force: ForceOption,
    #[command(flatten)]
    resume: ResumeOptions,
    /// Write film.gif, too: how the pictures came about
    #[arg(long, help_heading = group::OUTPUT)]
    gif: bool,
    /// Print the report as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

impl Invert {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let observing = Observing {
            model: &self.model,
            weights: self.weights.as_deref(),
            gradients: std::slice::from_ref(&self.gradient),
            observed: &self.observed,
            protocol: &self.protocol,
            labels: self.labels.as_deref(),
            batch: self.batch,
            normalisation: &self.normalisation,
            seed: self.seed,
        };
        if self.clip.is_given() && !self.examples.is_given() {
            return Err(misuse(
                "--clip: invert names by example alone: give --names-from; run names by text, too",
            ));
        }
        let inputs = [Some(&self.gradient), self.weights.as_ref(), self.model.model.as_ref()];
        check_apart("--out", [self.out.path.as_path()], inputs.into_iter().flatten().map(PathBuf::as_path))?;
        self.resume.watch_for_the_end();
        let by = Attacking { threat: &self.threat, attack: &self.attack, preset: Preset::Auto };
        let Observation { mut audit, batch, targets, doubts, .. } = observing.open(&by)?;
        let examples = self.examples.open(Some(&audit), None)?;
        let (folder, checkpoints) = self.resume.claim(&self.out, &self.force)?;
        let out = folder.path().to_path_buf();
        audit.checkpoints = Some(Arc::clone(&checkpoints));
        let device = self.device.open_spread()?;
        let learn = |examples| self.examples.learn(&examples, &self.clip, Some(&audit), &*device);
        let model = examples.map(learn).transpose()?;

        let outcome = audit.invert(&*device, batch, &targets, None, &Terminal);
        let outcome = resume_options::unless_stopped(outcome, &out, &checkpoints)?;
        let mut outcome = Outcome { doubts, ..outcome };
        audit.validate(&*device, &targets, None, &mut outcome, &Terminal)?;
        let semantic = match &model {
            None => None,
            Some(model) => {
                let mut namer = model.namer(&*device, batch, &Terminal)?;
                let beside = Beside::default();
                Some(audit.name(&mut namer, Rule::default(), &outcome, None, &beside, &Terminal)?)
            }
        };
        let uses: Vec<Use> = model.iter().map(|_| examples_use()).collect();
        let findings = Findings {
            command: command_line(),
            semantic,
            threat_model: audit.granted(&uses)?,
            data: self.gradient.display().to_string(),
            animated: self.gif,
            ..audit.findings(&*device, None, &outcome)?
        };
        let report = findings.report()?;
        findings.write(&report, folder)?;
        resume_options::end(&checkpoints, report.interrupted);
        if self.json {
            print_json(&report)?;
            return resume_options::check(report.interrupted, &out);
        }
        let [html, grid] = written(&out);
        let verdict = verdict::of(&report.head.verdict);
        let names = report.semantic.as_ref().map(names_table::of).unwrap_or_default();
        print_line(format!("{verdict}\n\n{}{names}\nwrote {html} and {grid}", summary::of(&report)))?;
        resume_options::check(report.interrupted, &out)
    }
}
