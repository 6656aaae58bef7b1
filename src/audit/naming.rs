//! What the label indices mean: a model that says what pictures show, and the names that it chooses from.

use super::{Audit, AuditError, Clients, Outcome};
use crate::{
    clip::{
        Encoder, Templates, builtin,
        zero_shot::{Namer, check_labels},
    },
    data::Picture,
    device::Device,
    semantic::{self, Assignment, PublicRows, SemanticError, SemanticReport, reconstruct_labels},
    watch::Watch,
};

/// A model and names, not yet encoded.
pub struct NamingModel {
    /// What compares pictures with names.
    pub encoder: Box<dyn Encoder>,
    /// `N`, different ones, see [`check_labels`].
    pub names: Vec<String>,
    /// The sentences that names are put into.
    pub templates: Templates,
}

impl NamingModel {
    /// The model that comes with the program.
    ///
    /// # Errors
    /// A name that is empty or stands twice.
    pub fn builtin(names: &[String]) -> Result<NamingModel, AuditError> {
        let names = check_labels(names).map_err(|error| AuditError::of_names("names", error))?;
        Ok(NamingModel { encoder: builtin::open()?, names, templates: Templates::imagenet() })
    }

    /// Vectors `(N,E)` of any names; `of`: what gave them, for errors.
    pub fn encode(
        &self,
        device: &dyn Device,
        names: &[String],
        of: &str,
        watch: &dyn Watch,
    ) -> Result<Vec<f32>, AuditError> {
        let found = check_labels(names)
            .and_then(|names| self.encoder.name_features(device, &names, &self.templates, watch))
            .map_err(|error| AuditError::of_names(of, error))?;
        found.notes.iter().for_each(|text| watch.note(text));
        Ok(found.vectors)
    }

    /// Encodes the names and compiles the image half, for about so many pictures, so that what is wrong with a name
    /// shows before anything is attacked.
    pub fn namer<'m>(
        &'m self,
        device: &'m dyn Device,
        pictures: usize,
        watch: &dyn Watch,
    ) -> Result<Namer<'m>, AuditError> {
        Ok(Namer::new(device, &*self.encoder, &self.names, &self.templates, pictures, watch)?)
    }
}

/// How much each batch counts where an index was seen in several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// Every batch the same.
    #[default]
    Equal,
    /// A batch by the lowest objective of all batches over its own: what was matched better counts more.
    Objective,
}

impl Aggregation {
    /// `(M)`: weights of the batches, from the lowest objective that each reached.
    pub fn weights(self, objectives: &[f32]) -> Vec<f64> {
        let least = f64::from(f32::MIN_POSITIVE);
        let objectives = objectives.iter().map(|&o| f64::from(o).max(least));
        match self {
            Aggregation::Equal => vec![1.0; objectives.len()],
            Aggregation::Objective => {
                let lowest = objectives.clone().fold(f64::INFINITY, f64::min);
                objectives.map(|o| lowest / o).collect()
            }
        }
    }
}

/// How names are given to label indices.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Greedily or one to one.
    pub assignment: Assignment,
    /// How much each batch counts where several are named together.
    pub aggregation: Aggregation,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule { assignment: Assignment::Greedy, aggregation: Aggregation::Equal }
    }
}

/// What stands beside reconstructions.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// For the control of a single batch, see [`Clients::unrelated`].
    pub unrelated: &'a [Picture],
    /// See [`Audit::public_rows`].
    pub public: Option<&'a PublicRows>,
}

impl Audit {
    /// What the label indices mean that these reconstructions carry, judged where the clients are known.
    ///
    /// # Errors
    /// One-to-one naming with fewer names than indices.
    pub fn name(
        &self,
        namer: &mut Namer,
        rule: Rule,
        outcome: &Outcome,
        clients: Option<&Clients>,
        beside: &Beside,
        watch: &dyn Watch,
    ) -> Result<SemanticReport, AuditError> {
        let originals = |i: usize| clients.map(|c| (&c.batches[i].pictures[..], &c.batches[i].labels[..]));
        let shown = outcome.found.iter().zip(&outcome.pictures).enumerate();
        let batches: Vec<semantic::Batch> = shown
            .map(|(i, (found, pictures))| semantic::Batch {
                reconstructions: pictures,
                indices: &found.labels,
                originals: originals(i),
            })
            .collect();
        let objectives: Vec<f32> = outcome.found.iter().map(|f| f.best().objective).collect();
        let weights = rule.aggregation.weights(&objectives);
        let study = semantic::Study {
            assignment: rule.assignment,
            weights: Some(&weights),
            truth: clients.map_or(&[], |clients| &clients.names),
            unrelated: beside.unrelated,
            public: beside.public,
            seed: self.seed,
        };
        reconstruct_labels(namer, &batches, &study, watch).map_err(|error| match error {
            SemanticError::TooFewNames { .. } => {
                AuditError::Misuse(format!("--assignment one-to-one: {error}"))
            }
            error => error.into(),
        })
    }
}
