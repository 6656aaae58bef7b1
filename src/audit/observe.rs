//! Gradient files as what the eavesdropper works on: a victim, and a target a file.

use std::path::{Path, PathBuf};

use super::{
    Audit, AuditError, Known, Network, Training,
    sent::{Sent, kind_of, note_positions},
};
use crate::{
    attack::{config::AttackConfig, invert::Target},
    data::{Normalisation, same_file},
    device::host,
    federated::{Kind, Request, Victim, observed::batch_statistics},
    tensor_file::{GradientFile, GradientInfo},
    watch::Watch,
};

/// Files of one victim, each a batch, as they were found.
pub struct GradientFiles {
    /// Those of the network's own file, if none.
    weights: Option<PathBuf>,
    /// At least one; they agree in what they say.
    files: Vec<GradientFile>,
}

/// What the user says of them beside the network; what is left open the first file says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub training: Training,
    pub kind: Option<Kind>,
    /// `B`
    pub batch: Option<usize>,
    /// Of one file.
    pub labels: Option<Vec<usize>>,
    /// In place of the file's, or of CIFAR-10's.
    pub normalisation: Option<Normalisation>,
}

/// What they come to.
pub struct Observation {
    pub audit: Audit,
    /// `B`
    pub batch: usize,
    /// One a file.
    pub targets: Vec<Target>,
}

impl GradientFiles {
    /// Reads all files, and refuses those that cannot come from one victim. `gradients`: at least one.
    pub fn open(weights: Option<&Path>, gradients: &[PathBuf]) -> Result<GradientFiles, AuditError> {
        let mut files = vec![];
        for path in gradients {
            if weights.is_some_and(|weights| same_file(weights, path)) {
                return Err(AuditError::Misuse(format!(
                    "--weights and --gradient name the same file, {}",
                    path.display()
                )));
            }
            files.push(GradientFile::read(path)?);
        }
        let Some((first, others)) = files.split_first() else {
            return Err(AuditError::misuse("expected one gradient file or more, found none"));
        };
        others.iter().try_for_each(|other| check_same(first, other))?;
        Ok(GradientFiles { weights: weights.map(Path::to_path_buf), files })
    }

    /// Which network they are of.
    pub fn request(&self, network: &Network) -> Result<Request, AuditError> {
        let known: Known = network.known_from(self.info(), self.path())?;
        network.request(&known)
    }

    /// What an attack that knows the victim and these files works on.
    pub fn observe(
        self,
        request: &Request,
        attack: AttackConfig,
        said: &Said,
        watch: &dyn Watch,
    ) -> Result<Observation, AuditError> {
        let info = self.info().clone();
        let batch = self.batch_size(said)?;
        let protocol = said.training.protocol(&info, batch)?;
        let kind = kind_of(said.kind, &info, self.path(), &protocol)?;
        let victim = match &self.weights {
            Some(weights) => Victim::from_file(weights, request)?,
            None if request.graph.is_some() => Victim::from_seed(request, 0)?,
            None => return Err(AuditError::misuse("expected the victim's weights")),
        };
        if let Some(weights) = &self.weights {
            note_positions(weights, victim.positions.as_ref(), watch);
        }
        self.check_victim(&victim)?;
        let normalisation = self.normalisation(said, &victim)?;
        if let Some(labels) = &said.labels {
            if self.files.len() > 1 {
                return Err(AuditError::misuse("labels are given for one file, and there are several"));
            }
            check_labels("--labels", labels, batch, victim.model.classes)?;
        }
        let bytes = victim.gradient_bytes().saturating_mul(self.files.len() as u64);
        host::check(|| format!("holding the gradients of {} files", self.files.len()), bytes)?;
        let labels_given = said.labels.is_some();
        let audit = Audit { protocol, normalisation, labels_given, ..Audit::new(victim, attack) };
        let (victim, wanted) = (&audit.victim, audit.wants_statistics());
        let mut targets = vec![];
        for file in self.files {
            let path = file.file.path.clone();
            let sent = Sent::read(file, victim, &protocol, kind, wanted, watch)?;
            sent.check_sign(victim, batch, &path, watch)?;
            let statistics = sent.buffers.map(|returned| {
                let counts = victim.model.statistics_counts(batch / protocol.clients);
                batch_statistics(victim, &protocol, &returned, &counts)
            });
            let labels = said.labels.clone();
            targets.push(Target { gradient: sent.gradient, labels, weights: None, statistics });
        }
        Ok(Observation { audit, batch, targets })
    }

    /// What the first file says.
    fn info(&self) -> &GradientInfo {
        &self.files[0].info
    }

    fn path(&self) -> &Path {
        &self.files[0].file.path
    }

    /// A file that says which victim it comes from means that one.
    fn check_victim(&self, victim: &Victim) -> Result<(), AuditError> {
        let own = victim.fingerprint();
        let other = |file: &&GradientFile| file.info.victim.as_ref().is_some_and(|said| *said != own);
        match self.files.iter().find(other) {
            Some(file) => Err(AuditError::Misuse(format!(
                "{}: the gradient of another victim than {}: its weights have the fingerprint {}, these have {own}",
                file.file.path.display(),
                victim.weights,
                file.info.victim.as_deref().unwrap_or_default()
            ))),
            None => Ok(()),
        }
    }

    /// Of the gradient file, of the user, or the number of labels.
    fn batch_size(&self, said: &Said) -> Result<usize, AuditError> {
        if let (Some(file), Some(option)) = (self.info().batch_size, said.batch)
            && file != option
        {
            return Err(AuditError::Misuse(format!(
                "--batch: expected {file}, the batch size in {}, found {option}",
                self.path().display()
            )));
        }
        let from_labels = said.labels.as_ref().map(Vec::len);
        self.info().batch_size.or(said.batch).or(from_labels).ok_or_else(|| {
            AuditError::Misuse(format!(
                "{} does not say its batch size: give --batch or --labels",
                self.path().display()
            ))
        })
    }

    fn normalisation(&self, said: &Said, victim: &Victim) -> Result<Normalisation, AuditError> {
        let in_file = match (&self.info().mean, &self.info().std) {
            (Some(mean), Some(std)) => {
                let found = Normalisation::new(mean.clone(), std.clone());
                Some(found.map_err(|cause| AuditError::Within {
                    what: self.path().display().to_string(),
                    cause: Box::new(cause.into()),
                })?)
            }
            _ => None,
        };
        choose_normalisation(said.normalisation.clone(), in_file, victim.image_shape()[0])
    }
}

/// What the user says, else what is known, else CIFAR-10's, or its mean over the channels where there are not three.
///
/// # Errors
/// It is of other channels.
pub fn choose_normalisation(
    said: Option<Normalisation>,
    known: Option<Normalisation>,
    channels: usize,
) -> Result<Normalisation, AuditError> {
    let chosen = said.or(known).unwrap_or_else(|| Normalisation::default().for_channels(channels));
    chosen.check_channels(channels).map_err(AuditError::misuse)?;
    Ok(chosen)
}

/// Class indices below `classes`, one a picture; `option`: what gave them.
pub fn check_labels(option: &str, labels: &[usize], batch: usize, classes: usize) -> Result<(), AuditError> {
    if labels.len() != batch {
        return Err(AuditError::Misuse(format!(
            "{option}: expected {batch}, one a picture, found {}",
            labels.len()
        )));
    }
    match labels.iter().find(|&&label| label >= classes) {
        Some(label) => Err(AuditError::Misuse(format!(
            "{option}: expected class indices from 0 to {}, found {label}",
            classes - 1
        ))),
        None => Ok(()),
    }
}

/// What two files say of their victim and of the client's training must agree.
fn check_same(first: &GradientFile, other: &GradientFile) -> Result<(), AuditError> {
    macro_rules! fields {
        ($($name:literal: $field:ident),* $(,)?) => {
            [$(($name, show(&first.info.$field), show(&other.info.$field))),*]
        };
    }
    let said = fields![
        "architecture": architecture, "options": options, "classes": classes, "image shape": image_shape,
        "fingerprint of the weights": victim, "kind": kind, "mode": mode, "clients": clients,
        "local steps": local_steps, "local batch": local_batch, "local rate": local_lr, "batch size": batch_size,
        "mean": mean, "std": std,
    ];
    for (what, a, b) in said {
        if let (Some(a), Some(b)) = (a, b)
            && a != b
        {
            return Err(AuditError::Misuse(format!(
                "{} and {} do not belong to one aggregation, which is of one victim and one training: {what} {a} and {b}",
                first.file.path.display(),
                other.file.path.display()
            )));
        }
    }
    Ok(())
}

fn show(value: &Option<impl std::fmt::Debug>) -> Option<String> {
    value.as_ref().map(|value| format!("{value:?}"))
}
