//! Which victims, batches and trials.

use clap::Args;

use crate::{
    bench::{Subject, Work, standard},
    cli::{
        help::group,
        misuse,
        model_options::{Known, ModelOptions},
        options::MAX_BATCH,
    },
    federated::{DEFAULT_CLASSES, Request, check_classes},
    nn::Model,
};

/// What to measure iterations of.
#[derive(Args)]
#[command(next_help_heading = group::MEASUREMENT)]
pub(crate) struct SubjectOptions {
    #[command(flatten)]
    model: ModelOptions,
    /// Pictures in the batch, as in 1,4; 1 if only --arch is given
    #[arg(long, value_name = "N", value_delimiter = ',', requires = "network", help_heading = group::INPUT)]
    batch: Vec<usize>,
    /// Trials at once, each with a gradient of its own, as in 1,16,64
    #[arg(long, value_name = "T", value_delimiter = ',', requires = "network", help_heading = group::ATTACK)]
    trials: Vec<usize>,
}

impl SubjectOptions {
    /// Whether --arch or --model says which.
    pub(crate) fn one_victim(&self) -> bool {
        self.model.arch.is_some() || self.model.model.is_some()
    }

    /// Of --arch, or its default.
    pub(crate) fn victim(&self) -> anyhow::Result<Request> {
        self.model().map(|(request, _)| request)
    }

    fn model(&self) -> anyhow::Result<(Request, Model)> {
        let request = self.model.request(&Known::default())?;
        let classes = request.classes.unwrap_or(DEFAULT_CLASSES);
        check_classes(classes).map_err(misuse)?;
        let model = request.model(classes).map_err(misuse)?;
        Ok((request, model))
    }

    /// The standard ones; or of --arch every batch with every number of trials for the attack, and every batch
    /// for training.
    pub(crate) fn subjects(&self, attack: bool, training: bool) -> anyhow::Result<Vec<Subject>> {
        let wanted = |work| if work == Work::Attack { attack } else { training };
        if !self.one_victim() {
            if !self.model.is_default() {
                return Err(misuse("options of the network need --arch"));
            }
            return Ok(standard().into_iter().filter(|s| wanted(s.work)).collect());
        }
        let (request, model) = self.model()?;
        let or_one = |list: &[usize]| if list.is_empty() { vec![1] } else { list.to_vec() };
        let (batches, trials) = (or_one(&self.batch), or_one(&self.trials));
        let mut subjects = vec![];
        for &batch in &batches {
            for &trials in &trials {
                if batch == 0 || trials == 0 || batch.saturating_mul(trials) > MAX_BATCH {
                    return Err(misuse(format!(
                        "--batch {batch} × --trials {trials}: expected 1 to {MAX_BATCH} pictures"
                    )));
                }
                if attack {
                    let (work, victim) = (Work::Attack, request.clone());
                    subjects.push(Subject { work, victim, batch, trials });
                }
            }
            if training {
                model.check_train(batch).map_err(misuse)?;
                let (work, victim) = (Work::Training, request.clone());
                subjects.push(Subject { work, victim, batch, trials: 1 });
            }
        }
        Ok(subjects)
    }
}
