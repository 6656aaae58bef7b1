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
    options::{DeviceOptions, NormalisationOptions},
    print_json, print_line,
    progress::Terminal,
    protocol_options::ProtocolOptions,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{
        guidance::{Guide as Guiding, Hypothesis},
        invert::{Reconstruction, Target},
        threat::ThreatModel,
    },
    audit::{Audit, Clients},
    clip::{
        Encoder, Head,
        zero_shot::{Namer, check_labels},
    },
    data::Picture,
    device::Device,
    report::OutputFolder,
    watch::{Silent, Stage},
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
    audit: Audit,
    threat_model: ThreatModel,
    /// Where the pictures or gradients come from.
    data: String,
    candidates: Candidates<'a>,
    /// Absent where the gradients came from elsewhere.
    clients: Option<&'a Clients>,
    /// Of the clients; none where they are not known.
    losses: Vec<f32>,
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
        let namer = Namer::new(device, model, names, &templates, pictures, &Terminal);
        let namer = namer.map_err(|error| self.names.error(error))?;
        namer.notes.iter().for_each(|text| note(text));
        Ok(namer)
    }

    /// Tries the hypotheses on what was sent, and says which is believed.
    fn explain(
        &self,
        evidence: Evidence,
        batch: usize,
        targets: &[Target],
        model: &dyn Encoder,
        mut namer: Namer,
    ) -> anyhow::Result<()> {
        let Evidence { device, candidates, audit, .. } = &evidence;
        // Without guidance first: it restores the labels, says which hypotheses are likely, and is what guidance is
        // held against.
        let before = audit.invert(*device, batch, targets, None, &Terminal)?;
        let labels: Vec<Option<&[usize]>> = match evidence.clients {
            Some(clients) => clients.batches.iter().map(|b| Some(&b.labels[..])).collect(),
            None => vec![None; before.found.len()],
        };
        let head = model.head();
        let trials =
            self.hypotheses(candidates, (&mut namer, head), &labels, &before.found, &before.pictures)?;

        let hypotheses: Vec<Vec<Hypothesis>> = trials.iter().map(|t| t.meanings()).collect();
        let width = namer.vectors.len() / candidates.names.len();
        let guide =
            Guiding { encoder: model, names: &namer.vectors, width, hypotheses: &hypotheses, oracle: false };
        let after = audit.invert(*device, batch, targets, Some(&guide), &Terminal)?;
        let study = Study {
            device: evidence.device,
            audit: evidence.audit,
            threat_model: evidence.threat_model,
            data: evidence.data,
            model: model.model(),
            candidates: evidence.candidates,
            clients: evidence.clients,
            losses: evidence.losses,
            one_to_one: self.one_to_one,
            beam: self.beam,
            unguided: before,
            trials,
            guided: after,
        };
        self.finish(&study, evidence.folder)
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
        let stage = Stage::new(&Terminal, "comparing with names");
        let mut trials = vec![];
        for (number, (labels, found)) in labels.iter().zip(found).enumerate() {
            let call =
                |picture: &Picture| (format!("a reconstruction of batch {number}"), Ok(picture.clone()));
            let rows = namer.rows(pictures[number].iter().map(call), &Silent)?;
            let seen = Reconstructed { number, labels: &found.labels, cosine: &rows.cosine };
            trials.push(candidates.hypotheses(*labels, seen, head, self.one_to_one, self.beam)?);
            stage.count(number + 1, pictures.len());
        }
        Ok(trials)
    }

    fn finish(&self, study: &Study, mut folder: OutputFolder) -> anyhow::Result<()> {
        let report = study.report();
        // The lowest of all trials is the lowest of the first hypothesis.
        let pictures = &study.guided.pictures;
        folder.set_page(page::page(study, &report, &study.unguided.pictures, pictures)?.render()?);
        let originals = study.clients.map(Clients::originals);
        folder.write(originals.as_deref(), &pictures.concat(), &report.captions(), &report)?;
        if self.json {
            return print_json(&report);
        }
        let html = self.out.join("report.html");
        print_line(format!("{}\n{}\nwrote {}", table::of(&report), report.verdict, html.display()))
    }
}
