//! Gradient files as what the eavesdropper works on: a victim, and a target a file.

use std::path::{Path, PathBuf};

use super::{
    Audit, AuditError, Known, Network, SaidNormalisation, Training, choose_normalisation,
    sent::{check_sign, kind_of, note_positions, read},
};
use crate::{
    attack::{config::AttackConfig, invert::Target},
    data::{Normalisation, in_natural_order, same_file},
    device::host,
    federated::{Kind, Local, Protocol, Request, Victim, received::Received},
    nn::Mode,
    tensor_file::{GradientFile, GradientInfo},
    watch::Watch,
};

/// Files of one victim, each a batch, as they were found.
pub struct GradientFiles {
    /// Those of the network's own file, if none.
    weights: Option<PathBuf>,
    /// At least one, in the natural order of their names; they agree in what they say.
    pub(super) files: Vec<GradientFile>,
    /// Whether they were given in another order.
    reordered: bool,
}

/// What the user says of them beside the network; what is left open the first file says.
#[derive(Clone, Debug, Default)]
pub struct Said {
    /// What the clients do before they send.
    pub training: Training,
    /// Whether the tensors are a gradient, an update or a model.
    pub kind: Option<Kind>,
    /// `B`
    pub batch: Option<usize>,
    /// Of one file.
    pub labels: Option<Vec<usize>>,
    /// In place of the file's, or of CIFAR-10's.
    pub normalisation: Option<SaidNormalisation>,
    /// The files are what they are said to be, even where their own numbers speak against that.
    pub trusted: bool,
}

/// What they come to.
pub struct Observation {
    /// Victim, protocol and attack, as user and files say them.
    pub audit: Audit,
    /// `B`
    pub batch: usize,
    /// Where they come from: the rounds of a client, if there are several.
    pub files: Vec<PathBuf>,
    /// One a file.
    pub targets: Vec<Target>,
    /// What speaks against a file being what it is said to be, a list a file.
    pub doubts: Vec<Vec<String>>,
}

impl GradientFiles {
    /// Reads all files, and refuses those that cannot come from one victim. `gradients`: at least one.
    pub fn open(weights: Option<&Path>, gradients: &[PathBuf]) -> Result<GradientFiles, AuditError> {
        let mut files = vec![];
        let ordered = in_natural_order(gradients);
        for path in &ordered {
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
        let reordered = ordered != gradients;
        Ok(GradientFiles { weights: weights.map(Path::to_path_buf), files, reordered })
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
        let victim = self.victim(request)?;
        let batch = self.batch_size(said, &attack, &victim, watch)?;
        let mut protocol = said.training.protocol(&info, batch)?;
        if attack.surrogate && protocol.local.is_none() {
            // Only the direction of the update counts: one step at rate 1 has its own.
            protocol.local = Some(Local::sgd(1, batch, 1.0));
        }
        let kind = kind_of(said.kind, &info, self.path(), &protocol)?;
        if let Some(weights) = &self.weights {
            note_positions(weights, victim.positions.as_ref(), watch);
        }
        self.check_victim(&victim)?;
        let normalisation = self.normalisation(said, &victim, watch)?;
        if let Some(labels) = &said.labels {
            if self.files.len() > 1 {
                return Err(AuditError::misuse("labels are given for one file, and there are several"));
            }
            check_labels("--labels", labels, batch, victim.model.classes)?;
        }
        let bytes = victim.gradient_bytes().saturating_mul(self.files.len() as u64);
        host::check(|| format!("holding the gradients of {} files", self.files.len()), bytes)?;
        let labels_given = said.labels.is_some();
        let mut audit = Audit { protocol, normalisation, labels_given, ..Audit::new(victim, attack) };
        let mode_said = said.training.mode.is_some() || info.mode.is_some();
        let paths: Vec<PathBuf> = self.files.iter().map(|file| file.file.path.clone()).collect();
        if self.reordered {
            watch.note("the files of --gradient are taken in the natural order of their names");
        }
        let (mut targets, mut doubts) = (vec![], vec![]);
        for file in self.files {
            let path = file.file.path.clone();
            let wanted = audit.wants_statistics();
            let received = read(file, &audit.victim, &audit.protocol, kind, batch, wanted, watch)?;
            doubts.push(check_sign(&received.gradient, &audit.victim, batch, &path, said.trusted, watch)?);
            audit.protocol.mode = mode(&received, &audit.protocol, mode_said, &path, watch);
            audit.protocol.check(batch).map_err(AuditError::misuse)?;
            let statistics = match wanted {
                true => received.statistics(&audit.victim, &audit.protocol, batch, &path)?,
                false => None,
            };
            let Received { gradient, weights, .. } = received;
            targets.push(Target { gradient, labels: said.labels.clone(), weights, statistics });
        }
        weigh_all(&mut targets);
        Ok(Observation { audit, batch, files: paths, targets, doubts })
    }

    /// What the first file says.
    pub(super) fn info(&self) -> &GradientInfo {
        &self.files[0].info
    }

    pub(super) fn path(&self) -> &Path {
        &self.files[0].file.path
    }

    fn victim(&self, request: &Request) -> Result<Victim, AuditError> {
        Ok(match &self.weights {
            Some(weights) => Victim::from_file(weights, request)?,
            None if request.graph.is_some() => Victim::from_seed(request, 0)?,
            None => return Err(AuditError::misuse("expected the victim's weights")),
        })
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

    fn normalisation(
        &self,
        said: &Said,
        victim: &Victim,
        watch: &dyn Watch,
    ) -> Result<Normalisation, AuditError> {
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
        choose_normalisation(said.normalisation.as_ref(), in_file, victim.image_shape()[0], watch)
    }
}

/// The mode that the running statistics show, where nobody `said` one.
fn mode(received: &Received, protocol: &Protocol, said: bool, path: &Path, watch: &dyn Watch) -> Mode {
    match received.mode.filter(|mode| *mode != protocol.mode) {
        None => protocol.mode,
        Some(found) if said => {
            watch.warning(&format!(
                "{}: the running statistics are those of a client in {found} mode, {} mode was asked for",
                path.display(),
                protocol.mode
            ));
            protocol.mode
        }
        Some(found) => {
            watch.note(&format!(
                "{}: the running statistics say that the client trains in {found} mode (--mode)",
                path.display()
            ));
            found
        }
    }
}

/// Weights of the tensors are given for all targets or for none.
fn weigh_all(targets: &mut [Target]) {
    if targets.iter().any(|target| target.weights.is_some()) {
        for target in targets {
            target.weights.get_or_insert_with(|| vec![1.0; target.gradient.len()]);
        }
    }
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
        "local steps": local_steps, "local epochs": local_epochs, "local batch": local_batch, "local rate": local_lr,
        "local optimiser": local_optimiser, "weight decay": weight_decay, "loss": loss, "batch size": batch_size,
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
