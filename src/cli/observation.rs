//! Gradient files as what the eavesdropper works on: a victim, and a target a file.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::{
    attack_options::AttackOptions,
    misuse,
    model_options::{ModelOptions, known_from, victim_error},
    note,
    observed::{ObservedOptions, check_kind, say_positions},
    options::{NormalisationOptions, check_batch, parse_labels, same_file},
    protocol_options::ProtocolOptions,
    threat_options::ThreatOptions,
};
use crate::{
    attack::{
        config::{AttackConfig, StatisticsTarget},
        invert::{Setting, Target},
        threat::{Setup, ThreatModel},
    },
    data::Normalisation,
    device::host,
    federated::{Local, Protocol, Victim, received::Received},
    tensor_file::{GradientFile, GradientInfo},
};

/// The options that decide how files are read.
pub struct Observing<'a> {
    pub model: &'a ModelOptions,
    pub weights: &'a Path,
    /// At least one.
    pub gradients: &'a [PathBuf],
    pub observed: &'a ObservedOptions,
    pub protocol: &'a ProtocolOptions,
    pub threat: &'a ThreatOptions,
    /// Of one file.
    pub labels: Option<&'a str>,
    pub batch: Option<usize>,
    pub attack: &'a AttackOptions,
    pub normalisation: &'a NormalisationOptions,
}

/// What they come to.
pub struct Observation {
    pub victim: Victim,
    pub protocol: Protocol,
    pub batch: usize,
    pub normalisation: Normalisation,
    pub config: AttackConfig,
    pub threat_model: ThreatModel,
    /// One a file.
    pub targets: Vec<Target>,
}

impl Observation {
    /// The setting of the attack on these targets.
    pub fn setting(&self, restarts: usize, seed: u64) -> Setting<'_> {
        Setting {
            victim: &self.victim,
            protocol: &self.protocol,
            views: &[],
            batch: self.batch,
            normalisation: &self.normalisation,
            config: &self.config,
            threat: &self.threat_model,
            restarts,
            seed,
        }
    }
}

impl Observing<'_> {
    /// Reads all files, and refuses those that cannot come from one victim.
    pub fn open(&self) -> anyhow::Result<Observation> {
        let first = &self.gradients[0];
        let mut files = vec![];
        for path in self.gradients {
            if same_file(self.weights, path) {
                return Err(misuse(format!(
                    "--weights and --gradient name the same file, {}",
                    path.display()
                )));
            }
            files.push(GradientFile::read(path)?);
        }
        for (path, file) in self.gradients.iter().zip(&files).skip(1) {
            check_same(first, &files[0].info, path, &file.info)?;
        }
        let info = files[0].info.clone();
        let known = known_from(&info, self.model, first)?;
        let request = self.model.request(&known)?;
        let config = self.attack.config(&request.name)?;
        let batch = self.batch_size(info.batch_size)?;
        let mut protocol = self.protocol.protocol(&info, batch)?;
        if config.surrogate && protocol.local.is_none() {
            // Only the direction of the update counts: one step at rate 1 has its own.
            protocol.local = Some(Local::sgd(1, batch, 1.0));
        }
        let kind = self.observed.kind(&info, first, &protocol)?;
        check_kind(kind, &protocol)?;
        let victim = Victim::from_file(self.weights, &request).map_err(victim_error)?;
        say_positions(self.weights, victim.positions.as_ref());
        self.check_victim(&victim, &files)?;
        let setup = Setup {
            config: &config,
            protocol: &protocol,
            labels_given: self.labels.is_some(),
            adaptive: false,
            batch_norm: victim.has_batch_norm(),
        };
        let threat_model = self.threat.check(&setup)?;
        let wants_statistics = setup.batch_norm
            && config.batch_norm != 0.0
            && config.batch_norm_target == StatisticsTarget::Batch;
        let bytes = victim.gradient_bytes().saturating_mul(files.len() as u64);
        host::check(|| format!("holding the gradients of {} files", files.len()), bytes)?;
        let classes = victim.model.classes;
        let (mut targets, mut weighted) = (vec![], false);
        for (path, file) in self.gradients.iter().zip(files) {
            let received = self.observed.read(file, &victim, &protocol, kind, batch, wants_statistics)?;
            self.observed.check_sign(&victim, &received.gradient, batch, path)?;
            if let Some(mode) = received.mode.filter(|mode| *mode != protocol.mode) {
                if self.protocol.says_mode() || info.mode.is_some() {
                    note(&format!(
                        "{}: the running statistics are those of a client in {mode} mode, {} mode was asked for",
                        path.display(),
                        protocol.mode
                    ));
                } else {
                    note(&format!(
                        "{}: the running statistics moved: the client is taken to train in {mode} mode (--mode)",
                        path.display()
                    ));
                    protocol.mode = mode;
                    protocol.check(batch).map_err(misuse)?;
                }
            }
            let statistics = match wants_statistics {
                true => received.statistics(&victim, &protocol, batch, path)?,
                false => None,
            };
            weighted |= received.weights.is_some();
            let Received { gradient, weights, .. } = received;
            targets.push(Target { gradient, labels: None, weights, statistics });
        }
        if weighted {
            // Weights are given for all targets or for none.
            let all = vec![1.0; victim.gradient_specs().len()];
            targets.iter_mut().for_each(|target| {
                target.weights.get_or_insert_with(|| all.clone());
            });
        }
        let known = match (&info.mean, &info.std) {
            (Some(mean), Some(std)) => Some(
                Normalisation::new(mean.clone(), std.clone()).with_context(|| first.display().to_string())?,
            ),
            _ => None,
        };
        let normalisation = self.normalisation.open(victim.image_shape()[0], known)?;
        if let Some(labels) = self.labels {
            targets[0].labels = Some(parse_labels(labels, batch, classes)?);
        }
        Ok(Observation { victim, protocol, batch, normalisation, config, threat_model, targets })
    }

    /// A file that says which victim it comes from means that one.
    fn check_victim(&self, victim: &Victim, files: &[GradientFile]) -> anyhow::Result<()> {
        let own = victim.fingerprint();
        let other = |file: &&GradientFile| file.info.victim.as_ref().is_some_and(|said| *said != own);
        match files.iter().find(other) {
            Some(file) => Err(misuse(format!(
                "{}: the gradient of another victim than {}: its weights have the fingerprint {}, these have {own}",
                file.file.path.display(),
                self.weights.display(),
                file.info.victim.as_deref().unwrap_or_default()
            ))),
            None => Ok(()),
        }
    }

    /// Of the gradient file, of `--batch`, or the number of labels.
    fn batch_size(&self, in_file: Option<usize>) -> anyhow::Result<usize> {
        let from_labels = self.labels.map(|l| l.split(',').count());
        if let Some(batch) = self.batch {
            check_batch(batch)?;
        }
        if let (Some(file), Some(option)) = (in_file, self.batch)
            && file != option
        {
            return Err(misuse(format!(
                "--batch: expected {file}, the batch size in {}, found {option}",
                self.gradients[0].display()
            )));
        }
        match in_file.or(self.batch).or(from_labels) {
            Some(n) => Ok(n),
            None => Err(misuse(format!(
                "{} does not say its batch size: give --batch or --labels",
                self.gradients[0].display()
            ))),
        }
    }
}

/// What two files say of their victim and of the client's training must agree.
fn check_same(a: &Path, first: &GradientInfo, b: &Path, other: &GradientInfo) -> anyhow::Result<()> {
    macro_rules! fields {
        ($($name:literal: $field:ident),* $(,)?) => { [$(($name, show(&first.$field), show(&other.$field))),*] };
    }
    let said = fields![
        "architecture": architecture, "options": options, "classes": classes, "image shape": image_shape,
        "fingerprint of the weights": victim, "kind": kind, "mode": mode, "clients": clients,
        "local steps": local_steps, "local batch": local_batch, "local rate": local_lr,
        "local optimiser": local_optimiser, "weight decay": weight_decay, "loss": loss, "batch size": batch_size,
        "mean": mean, "std": std,
    ];
    for (what, first, other) in said {
        if let (Some(first), Some(other)) = (first, other)
            && first != other
        {
            return Err(misuse(format!(
                "{} and {} do not belong to one aggregation, which is of one victim and one training: {what} {first} \
                 and {other}",
                a.display(),
                b.display()
            )));
        }
    }
    Ok(())
}

fn show(value: &Option<impl std::fmt::Debug>) -> Option<String> {
    value.as_ref().map(|value| format!("{value:?}"))
}
