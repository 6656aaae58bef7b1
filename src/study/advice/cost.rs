//! What defences cost: accuracy after so many epochs of federated rounds, beside the same rounds undefended.

use super::{Advisor, Trial, frontier};
use crate::{
    audit::AuditError,
    federated::{
        Protocol, Victim,
        defence::{self, Defence},
    },
    nn::Mode,
    report::{Accuracy, Advice, Cost},
    statistics::share_interval_95,
    train::{Defending, EpochReport, Pictures, Recipe, TrainError, Training},
    watch::{Stage, Watch},
};

/// One in so many pictures is held out, and at most so many.
const HELD_OUT: usize = 6;
const MOST_HELD_OUT: usize = 2_000;
/// Pictures of a round, about: 128 as `train victim` takes.
const ROUND: usize = 128;
/// Each is tried on a part of the pictures.
const RATES: [f64; 4] = [0.1, 0.03, 0.01, 0.001];
const PART: usize = 8;
/// Rounds without which a part says nothing.
const FEWEST_ROUNDS: usize = 4;
/// Floating-point operations of a defence's own in a training, above which its cost is not measured: some minutes of a processor.
/// Soteria derives every feature of every client by the pictures.
const MOST_FLOPS: u64 = 30_000_000_000_000;
/// Held-out pictures below which accuracy says little.
pub(super) const FEW: usize = 200;

/// Shows nothing, and stops when it is told to.
struct Quiet<'w>(&'w dyn Watch);

impl Watch for Quiet<'_> {
    fn is_stopped(&self) -> bool {
        self.0.is_stopped()
    }
}

/// What is learned from, a part of that, and what is held out.
struct Sets {
    all: Pictures,
    part: Pictures,
    held_out: Pictures,
}

impl Advisor<'_> {
    /// Of the frontier's defences, into the advice; of those whose cost takes too long to measure a note says so, and the
    /// frontier is that of the others.
    pub(super) fn costs(
        &self,
        trials: &[Trial],
        advice: &mut Advice,
        watch: &dyn Watch,
    ) -> Result<(), AuditError> {
        let all: Vec<&Trial> = trials.iter().collect();
        let on_it = frontier::of(&all, &advice.target);
        if on_it.is_empty() {
            return Ok(());
        }
        let sets = self.sets()?;
        let mut measurable = vec![];
        for trial in all {
            let flops = self.own_flops(&trial.defences, &sets);
            if flops <= MOST_FLOPS {
                measurable.push(trial);
                continue;
            }
            if on_it.iter().any(|(defences, _)| *defences == trial.defences) {
                let defence = &trial.tried.defence;
                advice.notes.push(format!(
                    "what {defence} costs was not measured: its scores of all features of all clients take {} TFLOP; \
                     --advise-limit with fewer pictures measures it, or train victim --defence {defence}",
                    flops / 1_000_000_000_000
                ));
            }
        }
        let frontier = frontier::of(&measurable, &advice.target);
        if sets.held_out.len() < FEW {
            advice.notes.push(format!(
                "{} held-out pictures are too few to say what a defence costs: --data with some thousand would",
                sets.held_out.len()
            ));
        }
        let stage = Stage::new(watch, "measuring accuracy");
        let total = 1 + frontier.len();
        stage.part("no defence", 0, total, None);
        let (accuracy, _) = self.accuracy(&[], &sets, watch)?;
        advice.accuracy = accuracy;
        for (done, (defences, protects)) in frontier.iter().enumerate() {
            if watch.is_stopped() {
                advice.notes.push("stopped before all costs were measured".into());
                return Ok(());
            }
            let names: Vec<String> = defences.iter().map(ToString::to_string).collect();
            let defence = names.join(",");
            stage.part(&defence, 1 + done, total, None);
            let (accuracy, recipe) = self.accuracy(defences, &sets, watch)?;
            let Some(accuracy) = accuracy else {
                if watch.is_stopped() {
                    continue;
                }
                advice.notes.push(format!("training behind {defence} diverges at every learning rate tried"));
                continue;
            };
            let victim = &self.audit.victim;
            let frozen = victim.has_batch_norm() && self.defending(defences).mode(victim) == Mode::Eval;
            let note = frozen.then(|| {
                "trained with batch norm's statistics as they began: those of a client's batch are not defined with this \
                 defence; --norm group trains without them"
                    .to_string()
            });
            let privacy = recipe.privacy(sets.all.len());
            advice.frontier.push(Cost { defence, protects: *protects, accuracy, privacy, note });
        }
        Ok(())
    }

    /// Of all clients of all trainings that tell what the defences cost.
    fn own_flops(&self, defences: &[Defence], sets: &Sets) -> u64 {
        let (victim, batch) = (&self.audit.victim, self.clients.batch());
        let protocol = Protocol { mode: self.defending(defences).mode(victim), ..Protocol::default() };
        let client = defence::flops(victim, &protocol, defences, batch);
        let pictures = RATES.len() * sets.part.len() + self.epochs * sets.all.len();
        client.saturating_mul((pictures / batch) as u64)
    }

    fn sets(&self) -> Result<Sets, AuditError> {
        let victim = &self.audit.victim;
        let held_out = (self.limit / (HELD_OUT - 1)).clamp(1, MOST_HELD_OUT);
        let most = self.limit + held_out;
        let read = Pictures::read(self.dataset, victim.image_shape(), victim.model.classes, Some(most));
        let mut all = read.map_err(AuditError::misuse)?;
        all.labels = self.clients.order.indices(&all.labels);
        let (all, held_out) = all.split((all.len() / held_out).max(HELD_OUT));
        let (_, part) = all.split(PART);
        Ok(Sets { all, part, held_out })
    }

    fn defending(&self, defences: &[Defence]) -> Defending {
        Defending { defences: defences.to_vec(), client_batch: self.clients.batch() }
    }

    /// `None` where every learning rate diverges, or it is told to stop.
    fn accuracy(
        &self,
        defences: &[Defence],
        sets: &Sets,
        watch: &dyn Watch,
    ) -> Result<(Option<Accuracy>, Recipe), AuditError> {
        let batch = self.clients.batch();
        let clients = (ROUND.min(sets.all.len()) / batch).max(1);
        let recipe = Recipe {
            epochs: self.epochs,
            batch: clients * batch,
            augment: false,
            seed: self.audit.seed,
            defending: Some(self.defending(defences)),
            ..Recipe::default()
        };
        // A part with too few rounds says nothing of a learning rate: then all pictures do.
        let enough = sets.part.len() >= FEWEST_ROUNDS * recipe.batch;
        let part = if enough { &sets.part } else { &sets.all };
        let mut best: Option<(f64, f64)> = None;
        for learning_rate in RATES {
            let recipe = Recipe { learning_rate, epochs: 1, ..recipe.clone() };
            let report = self.train(&recipe, part, None, watch)?;
            if let Some(loss) = report.map(|r| r.loss)
                && best.is_none_or(|(lowest, _)| loss < lowest)
            {
                best = Some((loss, learning_rate));
            }
        }
        let Some((_, learning_rate)) = best else { return Ok((None, recipe)) };
        let recipe = Recipe { learning_rate, ..recipe };
        let report = self.train(&recipe, &sets.all, Some(&sets.held_out), watch)?;
        let accuracy = report.and_then(|r| r.test_accuracy).map(|share| {
            let pictures = sets.held_out.len();
            let interval = share_interval_95((share * pictures as f64).round() as usize, pictures);
            let (trained_on, epochs) = (sets.all.len(), self.epochs);
            Accuracy { share, interval, pictures, trained_on, epochs, learning_rate }
        });
        Ok((accuracy, recipe))
    }

    /// The last epoch's report; `None` where training diverges, or is told to stop.
    fn train(
        &self,
        recipe: &Recipe,
        pictures: &Pictures,
        test: Option<&Pictures>,
        watch: &dyn Watch,
    ) -> Result<Option<EpochReport>, AuditError> {
        let victim: &Victim = &self.audit.victim;
        let normalisation = &self.audit.normalisation;
        let training = Training { victim, recipe, pictures, test, normalisation, checkpoint: None };
        match training.run(self.device, training.start(), &Quiet(watch), &mut |_| {}) {
            Ok((_, mut reports)) => Ok(reports.pop()),
            Err(TrainError::NotFinite { .. } | TrainError::Evaluation(_) | TrainError::Stopped { .. }) => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}
