//! `gia-gpu guide`: names of label indices from guidance. Every assignment of candidate names guides a reconstruction of
//! its own, from the same starts and with the same budget; believed is the one that explains the gradient best.

mod candidates;
mod given;
mod judge;
mod page;
mod report;
mod simulated;
mod table;

use std::path::PathBuf;

use clap::Args;

use super::{
    attack_options::AttackOptions,
    clip_options::{CandidateNames, ClipOptions},
    data_options::DataOptions,
    defence_options::DefenceOptions,
    guidance_options::GuidanceOptions,
    help::group,
    misuse,
    model_options::VictimOptions,
    note,
    observed::ObservedOptions,
    options::{DeviceOptions, NormalisationOptions, attack_guided},
    print_json, print_line,
    progress::Progress,
    protocol_options::ProtocolOptions,
    run::report::Truth,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{
        config::AttackConfig,
        guidance::{Guide as Guiding, Hypothesis},
        invert::{Reconstruction, Setting, Target},
        threat::ThreatModel,
    },
    clip::{
        Encoder, Head,
        zero_shot::{Namer, check_labels},
    },
    data::Picture,
    device::Device,
    report::{Defences, OutputFolder},
};

use candidates::{Candidates, Reconstructed, Trials};
use report::Study;

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
pub struct Guide {
    #[command(flatten)]
    data: DataOptions,
    /// Observed gradients or updates, in place of pictures
    ///
    /// Safetensors or .npz files of one victim, each a batch; needs --weights and --names.
    #[arg(long, value_name = "FILE", num_args = 1.., requires_all = ["weights", "names"], help_heading = group::INPUT,
          conflicts_with_all = ["data", "batches", "batch_labels", "shuffle", "defence", "adaptive", "distractors"])]
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
    /// Seed of weights, class order, starts and distractors
    #[arg(long, value_name = "N", default_value_t = 42, help_heading = group::ATTACK)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    /// Folder for report.html, report.json, images/ and grid.png
    ///
    /// The pictures are those of the hypotheses believed.
    #[arg(long, value_name = "DIR", default_value = "guided", help_heading = group::OUTPUT)]
    out: PathBuf,
    /// Print the report as JSON
    #[arg(long, help_heading = group::OUTPUT)]
    json: bool,
    #[command(flatten)]
    device: DeviceOptions,
}

/// What clients sent, and what is known of it.
struct Evidence<'a> {
    device: &'a dyn Device,
    /// Of the attack under hypotheses, as the report has it.
    setting: Setting<'a>,
    threat_model: ThreatModel,
    /// Where the pictures or gradients come from.
    data: String,
    defences: Defences,
    candidates: Candidates<'a>,
    /// Absent where the gradients came from elsewhere.
    truth: Option<Truth<'a>>,
    folder: OutputFolder,
}

impl Guide {
    pub fn run(self) -> anyhow::Result<()> {
        if self.beam == 0 {
            return Err(misuse("--beam: expected 1 or more, found 0"));
        }
        match self.gradient.is_empty() {
            true => self.simulate(),
            false => self.take(),
        }
    }

    /// What `--names` gives, or the data set.
    fn all_names(&self, class_names: Option<&[String]>) -> anyhow::Result<Vec<String>> {
        let names = self.names.of(class_names).unwrap_or_default();
        check_labels(&names).map_err(|error| self.names.error(error))
    }

    /// What compares pictures, about so many, with these names.
    fn namer<'m>(
        &self,
        device: &'m dyn Device,
        model: &'m dyn Encoder,
        names: &[String],
        pictures: usize,
    ) -> anyhow::Result<Namer<'m>> {
        let templates = self.clip.templates()?;
        let bar = Progress::counting("encoding names");
        let namer =
            Namer::new(device, model, names, &templates, pictures, &mut |_, done, of| bar.count(done, of));
        bar.finish();
        let namer = namer.map_err(|error| self.names.error(error))?;
        namer.notes.iter().for_each(|text| note(text));
        Ok(namer)
    }

    /// Tries the hypotheses on what was sent, and says which is believed. `setting`: how it is attacked under them.
    fn explain(
        &self,
        evidence: Evidence,
        setting: &Setting,
        targets: &[Target],
        model: &dyn Encoder,
        mut namer: Namer,
    ) -> anyhow::Result<()> {
        let Evidence { device, candidates, .. } = evidence;
        // Without guidance first: it restores the labels, says which hypotheses are likely, and is what guidance is
        // held against.
        let plain = AttackConfig { guidance: None, ..setting.config.clone() };
        let unguided = Setting { config: &plain, ..*setting };
        let (before, unguided_timing) = attack_guided(device, &unguided, None, targets, "reconstructing")?;
        let seen = setting.pictures(&before)?;
        let labels = evidence.truth.as_ref().map(|t| t.batches.iter().map(|b| &b.labels[..]).collect());
        let labels: Vec<Option<&[usize]>> = match labels {
            Some(labels) => Vec::into_iter(labels).map(Some).collect(),
            None => vec![None; before.len()],
        };
        let head = model.head();
        let trials = self.hypotheses(&candidates, (&mut namer, head), &labels, &before, &seen)?;

        let hypotheses: Vec<Vec<Hypothesis>> = trials.iter().map(|t| t.meanings()).collect();
        let width = namer.vectors.len() / candidates.names.len();
        let guide =
            Guiding { encoder: model, names: &namer.vectors, width, hypotheses: &hypotheses, oracle: false };
        let stage = "reconstructing under hypotheses";
        let (after, timing) = attack_guided(device, setting, Some(&guide), targets, stage)?;
        let study = Study {
            device,
            setting: evidence.setting,
            threat_model: evidence.threat_model,
            data: evidence.data,
            defences: evidence.defences,
            model: model.model(),
            candidates,
            truth: evidence.truth,
            one_to_one: self.one_to_one,
            beam: self.beam,
            unguided: before,
            trials,
            guided: after,
            timings: [unguided_timing, timing],
        };
        self.finish(&study, &seen, evidence.folder)
    }

    /// What is tried for each batch, by what its unguided pictures look like. `labels`: the clients', where they are
    /// known.
    fn hypotheses(
        &self,
        candidates: &Candidates,
        (namer, head): (&mut Namer, Head),
        labels: &[Option<&[usize]>],
        found: &[Reconstruction],
        pictures: &[Vec<Picture>],
    ) -> anyhow::Result<Vec<Trials>> {
        let bar = Progress::counting("comparing with names");
        let mut trials = vec![];
        for (number, (labels, found)) in labels.iter().zip(found).enumerate() {
            let call =
                |picture: &Picture| (format!("a reconstruction of batch {number}"), Ok(picture.clone()));
            let rows = namer.rows(pictures[number].iter().map(call), &mut |_, _, _| ())?;
            let seen = Reconstructed { number, labels: &found.labels, cosine: &rows.cosine };
            trials.push(candidates.hypotheses(*labels, seen, head, self.one_to_one, self.beam)?);
            bar.count(number + 1, pictures.len());
        }
        bar.finish();
        Ok(trials)
    }

    fn finish(
        &self,
        study: &Study,
        unguided: &[Vec<Picture>],
        mut folder: OutputFolder,
    ) -> anyhow::Result<()> {
        let report = study.report();
        // The lowest of all trials is the lowest of the first hypothesis.
        let pictures = study.setting.pictures(&study.guided)?;
        folder.set_page(page::page(study, &report, unguided, &pictures)?.render()?);
        let originals: Option<Vec<Picture>> =
            study.truth.as_ref().map(|t| t.batches.iter().flat_map(|b| b.pictures.clone()).collect());
        folder.write(originals.as_deref(), &pictures.concat(), &report.captions(), &report)?;
        if self.json {
            return print_json(&report);
        }
        let html = self.out.join("report.html");
        print_line(format!("{}\n{}\nwrote {}", table::of(&report), report.verdict, html.display()))
    }
}
