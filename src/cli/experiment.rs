//! Clients, their defences and the eavesdropper: what `run` and `defences` do to batches.

use super::{guidance_options::EncodedMeanings, misuse, options::attack_towards, progress::Progress};
use crate::{
    attack::{
        config::{AttackConfig, StatisticsTarget},
        invert::{Reconstruction, Setting, Target},
        labels::LabelMetrics,
        threat::ThreatModel,
    },
    data::{Dataset, Normalisation, Picture},
    device::Device,
    federated::{
        Protocol, Victim,
        defence::{Defence, Defended, adapt, adapt::View},
        observed::batch_statistics,
    },
    nn::Mode,
    report::Timing,
};

/// One client's batch.
#[derive(Clone, Debug)]
pub struct ClientBatch {
    pub indices: Vec<usize>,
    pub pictures: Vec<Picture>,
    pub labels: Vec<usize>,
}

/// Everything that decides what is sent and how it is attacked.
#[derive(Clone, Copy)]
pub struct Experiment<'a> {
    pub device: &'a dyn Device,
    pub victim: &'a Victim,
    pub protocol: &'a Protocol,
    pub normalisation: &'a Normalisation,
    pub config: &'a AttackConfig,
    /// What the eavesdropper may know.
    pub threat: &'a ThreatModel,
    pub batches: &'a [ClientBatch],
    pub defences: &'a [Defence],
    /// The eavesdropper knows the defences.
    pub adaptive: bool,
    pub labels_given: bool,
    pub restarts: usize,
    pub seed: u64,
}

/// What came of it.
pub struct Outcome {
    /// The clients' losses.
    pub losses: Vec<f32>,
    pub found: Vec<Reconstruction>,
    pub timing: Timing,
}

impl Experiment<'_> {
    /// Trains the clients and attacks what they send.
    pub fn run(&self) -> anyhow::Result<Outcome> {
        self.run_guided(None)
    }

    /// As [`Experiment::run`], drawn towards these meanings of the labels.
    pub fn run_guided(&self, meanings: Option<&EncodedMeanings>) -> anyhow::Result<Outcome> {
        let (losses, targets) = self.capture()?;
        let (found, timing) =
            self.with_setting(|setting| attack_towards(self.device, setting, meanings, &targets))?;
        Ok(Outcome { losses, found, timing })
    }

    /// The setting of the attack on what the clients send.
    pub fn with_setting<R>(&self, use_it: impl FnOnce(&Setting) -> R) -> R {
        let views =
            if self.adaptive { adapt::views(self.defences, self.protocol, self.batch()) } else { vec![] };
        let protocol = match self.adaptive {
            true => adapt::protocol(self.defences, self.protocol),
            false => self.protocol.clone(),
        };
        use_it(&self.setting(&views, &protocol))
    }

    /// The same for an eavesdropper who takes the clients to do this.
    pub fn setting<'s>(&'s self, views: &'s [View], protocol: &'s Protocol) -> Setting<'s> {
        Setting {
            victim: self.victim,
            protocol,
            views,
            batch: self.batch(),
            normalisation: self.normalisation,
            config: self.config,
            threat: self.threat,
            restarts: self.restarts,
            seed: self.seed,
        }
    }

    pub fn batch(&self) -> usize {
        self.batches[0].labels.len()
    }

    /// The reconstructions as pictures, a list a batch.
    pub fn pictures(&self, found: &[Reconstruction]) -> anyhow::Result<Vec<Vec<Picture>>> {
        Ok(self.setting(&[], self.protocol).pictures(found)?)
    }

    /// What the clients send: their losses, and what the eavesdropper works on.
    pub fn capture(&self) -> anyhow::Result<(Vec<f32>, Vec<Target>)> {
        let Experiment { victim, protocol, config, defences, .. } = *self;
        let wants_statistics = victim.has_batch_norm()
            && config.batch_norm != 0.0
            && config.batch_norm_target == StatisticsTarget::Batch;
        if wants_statistics && protocol.mode != Mode::Train {
            return Err(misuse(
                "--bn-target batch: a client in eval mode returns no statistics of its batch: give --mode train",
            ));
        }
        let batch = self.batch();
        let mut client = Defended::new(self.device, victim, protocol, defences, batch)?;
        let (mut losses, mut targets) = (vec![], vec![]);
        let bar = Progress::counting("capturing");
        for (number, pictures) in self.batches.iter().enumerate() {
            let images = self.normalisation.normalise(&pictures.pictures)?;
            let update = client.update(&images, &pictures.labels, self.seed, number)?;
            losses.push(update.loss);
            let statistics = wants_statistics.then(|| {
                let counts = victim.model.statistics_counts(batch / protocol.clients);
                batch_statistics(victim, protocol, &update.buffers, &counts)
            });
            let weights = match self.adaptive {
                true => adapt::weights(defences, protocol, batch, &update.gradient),
                false => None,
            };
            let labels = self.labels_given.then(|| pictures.labels.clone());
            targets.push(Target { gradient: update.gradient, labels, weights, statistics });
            bar.count(targets.len(), self.batches.len());
        }
        bar.finish();
        Ok((losses, targets))
    }
}

/// How well labels were restored, mean over the batches.
pub fn label_metrics(found: &[Reconstruction], batches: &[ClientBatch], classes: usize) -> LabelMetrics {
    let pairs = found.iter().zip(batches);
    let all: Vec<LabelMetrics> =
        pairs.map(|(f, b)| LabelMetrics::of(&f.labels, &b.labels, classes)).collect();
    LabelMetrics::mean(&all)
}

/// Batches of these indices, with the data set's own labels.
pub fn read_batches(
    dataset: &Dataset,
    victim: &Victim,
    chosen: Vec<Vec<usize>>,
) -> anyhow::Result<Vec<ClientBatch>> {
    let label = |&i: &usize| match (dataset.label(i)?, victim.model.classes) {
        (label, classes) if label >= classes => Err(misuse(format!(
            "picture {i} of {} has label {label}, the victim has {classes} classes",
            dataset.name
        ))),
        (label, _) => Ok(label),
    };
    let read = |indices: Vec<usize>| {
        let labels = indices.iter().map(label).collect::<Result<Vec<_>, _>>()?;
        let pictures = read_pictures(dataset, victim, &indices)?;
        Ok(ClientBatch { indices, pictures, labels })
    };
    chosen.into_iter().map(read).collect()
}

/// The pictures of these indices, fitted to the victim's input.
pub fn read_pictures(dataset: &Dataset, victim: &Victim, indices: &[usize]) -> anyhow::Result<Vec<Picture>> {
    Ok(indices.iter().map(|&i| dataset.picture_as(i, victim.image_shape())).collect::<Result<_, _>>()?)
}
