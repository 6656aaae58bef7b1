//! Which victims, batches and trials.

use clap::Args;

use crate::{
    attack::{
        config::{AttackConfig, Optimiser},
        preset::Preset,
        way::Way,
    },
    bench::{Subject, Work, standard},
    cli::{
        help::group,
        misuse,
        model_options::{Known, ModelOptions},
        options::MAX_BATCH,
        spelled::spelled,
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
    /// Attacks, as in ig,decoder: those that match gradients by Adam; of one in stages the last is measured
    ///
    /// Without it ig.
    #[arg(long, value_name = "P", value_delimiter = ',', requires = "network", value_parser = spelled::<Preset>(), help_heading = group::ATTACK)]
    preset: Vec<Preset>,
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
                let presets = if self.preset.is_empty() { vec![Preset::Ig] } else { self.preset.clone() };
                for preset in presets.into_iter().filter(|_| attack) {
                    check_preset(preset, &model)?;
                    let (work, victim) = (Work::Attack, request.clone());
                    subjects.push(Subject { work, preset, victim, batch, trials });
                }
            }
            if training {
                model.check_train(batch).map_err(misuse)?;
                let (work, victim) = (Work::Training, request.clone());
                subjects.push(Subject { work, preset: Preset::Ig, victim, batch, trials: 1 });
            }
        }
        Ok(subjects)
    }
}

/// Whether its iterations can be measured.
fn check_preset(preset: Preset, model: &Model) -> anyhow::Result<()> {
    let config = AttackConfig::preset(preset.name(), model.depth()).map_err(misuse)?;
    let by_adam = matches!(config.optimiser, Optimiser::Adam { .. }) && !config.surrogate;
    match config.way == Way::Matching && by_adam && config.batch_norm == 0.0 {
        true => Ok(()),
        false => Err(misuse(format!(
            "--preset {preset}: expected one that matches gradients by Adam alone: ig, modern, decoder, gias or gifd"
        ))),
    }
}
