//! `gia-gpu guide`: names of label indices from guidance. Every assignment of candidate names guides a reconstruction of
//! its own, from the same starts and with the same budget; believed is the one that explains the gradient best.

mod candidates;
mod judge;
mod page;
mod report;
mod table;

use std::path::PathBuf;

use clap::Args;

use super::{
    attack_options::AttackOptions,
    clients::{ClientOptions, Clients, check_out},
    clip_options::{CandidateNames, ClipOptions},
    data_options::DataOptions,
    defence_options::DefenceOptions,
    experiment::{ClientBatch, Experiment},
    guidance_options::{GuidanceOptions, guidable},
    misuse,
    model_options::{DEFAULT_ARCHITECTURE, VictimOptions},
    note,
    options::{DeviceOptions, NormalisationOptions, attack_guided},
    print_json, print_line,
    progress::Progress,
    protocol_options::ProtocolOptions,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{
        config::AttackConfig,
        guidance::{Guide as Guiding, Hypothesis},
        invert::{Reconstruction, Target},
    },
    clip::zero_shot::{Namer, check_labels},
    data::Picture,
    report::OutputFolder,
};

use candidates::{Candidates, Reconstructed, Trials};
use report::Study;

/// Most iterations on the embedded samples, unless told otherwise: a first try is short.
const DEMONSTRATION: usize = 600;

/// Say what label indices mean by guided reconstruction: every assignment of candidate names to the restored indices is
/// tried as a hypothesis, and the one whose pictures explain the gradient best is believed.
///
/// A hypothesis draws the pictures of each index towards its name while they are matched to the gradient; then the pull
/// goes to 0 and matching alone goes on. Hypotheses are ranked by the loss of gradient matching that is left. All have
/// the same starts and the same budget, and run as trials of the same plans.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  gia-gpu guide --batch 2 --batch-labels distinct --names Sandal,Bag,Shirt --one-to-one\n  \
                  gia-gpu guide --data cifar-10-batches-bin --batch 2 --batch-labels distinct --batches 40 \
                  --distractors 2 --one-to-one --restarts 4 --out guided"
)]
pub struct Guide {
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
    #[command(flatten)]
    attack: AttackOptions,
    #[command(flatten)]
    guidance: GuidanceOptions,
    #[command(flatten)]
    names: CandidateNames,
    /// Candidates of each batch: its true names and so many others, drawn from the names by seed. It measures how well
    /// the truth is told from them; an eavesdropper has no such list
    #[arg(long, value_name = "N")]
    distractors: Option<usize>,
    /// No two indices may mean the same
    #[arg(long)]
    one_to_one: bool,
    /// Most hypotheses that are tried: those that the unguided reconstruction makes most likely
    #[arg(long, value_name = "N", default_value_t = 100)]
    beam: usize,
    #[command(flatten)]
    clip: ClipOptions,
    /// Seed of weights, class order, starts and distractors
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    normalisation: NormalisationOptions,
    #[command(flatten)]
    device: DeviceOptions,
    /// Folder to write report.html, report.json, images/ and grid.png to: the pictures of the hypotheses believed
    #[arg(long, value_name = "DIR", default_value = "guided")]
    out: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

impl Guide {
    pub fn run(self) -> anyhow::Result<()> {
        if self.beam == 0 {
            return Err(misuse("--beam: expected 1 or more, found 0"));
        }
        let dataset = self.data.open()?;
        check_out(self.data.data.as_deref(), &self.out)?;
        let names = self.names.of(Some(&dataset.class_names)).unwrap_or_default();
        let names = check_labels(&names).map_err(|error| self.names.error(error))?;
        let config = self.config()?;
        let options = ClientOptions {
            data: &self.data,
            victim: &self.victim,
            protocol: &self.protocol,
            defence: &self.defence,
            threat: &self.threat,
            normalisation: &self.normalisation,
            labels_given: false,
            shuffled: true,
            uses: &[],
            restarts: self.attack.trials,
            seed: self.seed,
        };
        let clients = options.open(&dataset, &config)?;
        let Clients { batches, order, .. } = &clients;
        let truth = order.names(&dataset.class_names);
        let candidates =
            Candidates { names: &names, truth: &truth, distractors: self.distractors, seed: self.seed };
        for (number, batch) in batches.iter().enumerate() {
            candidates.check(number, &batch.labels, self.one_to_one)?;
        }
        let model = self.clip.open()?;
        let templates = self.clip.templates()?;
        let folder = OutputFolder::open(&self.out)?;
        let device = self.device.open()?;
        let bar = Progress::counting("encoding names");
        let pictures = self.data.batch() * batches.len();
        let namer = Namer::new(&*device, &*model, &names, &templates, pictures, &mut |_, done, of| {
            bar.count(done, of);
        });
        bar.finish();
        let mut namer = namer.map_err(|error| self.names.error(error))?;
        namer.notes.iter().for_each(|text| note(text));

        // Without guidance first: it restores the labels, says which hypotheses are likely, and is what guidance is
        // held against.
        let plain = AttackConfig { guidance: None, ..config.clone() };
        let unguided = clients.experiment(&*device, &plain);
        let (losses, targets) = unguided.capture()?;
        let (before, unguided_timing) =
            unguided.with_setting(|s| attack_guided(&*device, s, None, &targets, "reconstructing"))?;
        let seen = unguided.pictures(&before)?;
        let scale = f64::from(model.scale());
        let trials = self.hypotheses(&candidates, (&mut namer, scale), batches, &before, &seen)?;

        let hypotheses: Vec<Vec<Hypothesis>> = trials.iter().map(|t| t.meanings()).collect();
        let width = namer.vectors.len() / names.len();
        let guide = Guiding { encoder: &*model, names: &namer.vectors, width, hypotheses: &hypotheses };
        let known = before.iter().map(|found| Some(found.labels.clone()));
        let targets: Vec<Target> =
            targets.into_iter().zip(known).map(|(target, labels)| Target { labels, ..target }).collect();
        let guided = Experiment { config: &config, ..unguided };
        let (after, timing) = guided.with_setting(|setting| {
            attack_guided(&*device, setting, Some(&guide), &targets, "reconstructing under hypotheses")
        })?;
        let study = Study {
            experiment: guided,
            threat_model: clients.threat_model.clone(),
            data: dataset.name.clone(),
            model: model.model(),
            names: &names,
            truth: &truth,
            order,
            one_to_one: self.one_to_one,
            beam: self.beam,
            distractors: self.distractors,
            client_losses: losses,
            unguided: before,
            trials,
            guided: after,
            timings: [unguided_timing, timing],
        };
        self.finish(&study, &seen, folder)
    }

    /// What is tried for each batch, by what its unguided pictures look like.
    fn hypotheses(
        &self,
        candidates: &Candidates,
        (namer, scale): (&mut Namer, f64),
        batches: &[ClientBatch],
        found: &[Reconstruction],
        pictures: &[Vec<Picture>],
    ) -> anyhow::Result<Vec<Trials>> {
        let bar = Progress::counting("comparing with names");
        let mut trials = vec![];
        for (number, (batch, found)) in batches.iter().zip(found).enumerate() {
            let call =
                |picture: &Picture| (format!("a reconstruction of batch {number}"), Ok(picture.clone()));
            let rows = namer.rows(pictures[number].iter().map(call), &mut |_, _, _| ())?;
            let seen = Reconstructed { number, labels: &found.labels, cosine: &rows.cosine };
            trials.push(candidates.hypotheses(&batch.labels, seen, scale, self.one_to_one, self.beam)?);
            bar.count(number + 1, batches.len());
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
        let report = study.report()?;
        let pictures = study.pictures()?;
        folder.set_page(page::page(study, &report, unguided, &pictures)?.render()?);
        let originals: Vec<Picture> =
            study.experiment.batches.iter().flat_map(|b| b.pictures.clone()).collect();
        folder.write(Some(&originals), &pictures.concat(), &report.captions(), &report)?;
        if self.json {
            return print_json(&report);
        }
        let html = self.out.join("report.html");
        print_line(format!("{}\n{}\nwrote {}", table::of(&report), report.verdict, html.display()))
    }

    fn config(&self) -> anyhow::Result<AttackConfig> {
        let name = self.victim.model.arch.as_deref().unwrap_or(DEFAULT_ARCHITECTURE);
        let mut config = self.attack.config(name)?;
        guidable(&config)?;
        if self.data.data.is_none() && self.attack.iterations.is_none() {
            config.iterations = config.iterations.min(DEMONSTRATION);
        }
        config.guidance = Some(self.guidance.guidance()?);
        Ok(config)
    }
}
