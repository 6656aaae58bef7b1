//! The threat model in words.

use askama::Template;

use crate::{
    attack::threat::{Knowledge, ThreatModel},
    report::ReportError,
};

/// What the eavesdropper may know.
#[derive(Clone, Debug, PartialEq, Template)]
#[template(path = "threat.html")]
pub struct Threat {
    /// Who is assumed to listen: `server`.
    pub name: String,
    /// In words, a piece of knowledge each.
    pub granted: Vec<String>,
    /// In words, a piece of knowledge each.
    pub withheld: Vec<String>,
}

impl From<&ThreatModel> for Threat {
    fn from(model: &ThreatModel) -> Threat {
        let (granted, withheld): (Vec<_>, Vec<_>) =
            Knowledge::ALL.into_iter().partition(|k| model.grants.contains(k));
        let words = |all: Vec<Knowledge>| all.into_iter().map(|k| words(k).to_owned()).collect();
        Threat { name: model.name.clone(), granted: words(granted), withheld: words(withheld) }
    }
}

fn words(knowledge: Knowledge) -> &'static str {
    match knowledge {
        Knowledge::Weights => "the model: architecture and the weights the client started from",
        Knowledge::Update => "what the client sent: its gradient or update",
        Knowledge::BatchSize => "how many pictures the batch held",
        Knowledge::Labels => "the labels of the batch",
        Knowledge::RunningStatistics => "the model's running batch-norm statistics",
        Knowledge::BatchStatistics => "the client's own batch-norm statistics",
        Knowledge::LocalTraining => "steps, batch size and learning rate of the client's training",
        Knowledge::DataStatistics => "mean and standard deviation of the pixels",
        Knowledge::Defence => "the client's defence and its strength",
        Knowledge::GenerativePrior => "a model of what such pictures look like",
        Knowledge::PublicData => "public pictures with names, of the kind the client has",
        Knowledge::TrueNames => "what the labels mean (an oracle's knowledge)",
    }
}

impl Threat {
    pub(super) fn html(&self) -> Result<String, ReportError> {
        Ok(self.render()?)
    }
}
