//! Matching losses and what they say about the images and labels: the double backward pass.
//!
//! Our cosine adds 1e-24 to both squared norms, PyTorch's fixture adds nothing: with |g|² above 1e-3 here
//! that is far below the tolerances.

use gia_gpu::{
    attack::{
        config::{AttackConfig, Objective},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    federated::Protocol,
    tape::Var,
};

use super::victim::{BATCH, Victim, victims};
use crate::devices::{Target, targets};

/// An objective of the fixtures.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    pub name: &'static str,
    pub objective: Objective,
    pub total_variation: f64,
    /// Labels are softmax(label logits), optimised with the images.
    pub soft: bool,
}

pub(crate) const CASES: [Case; 4] = [
    Case { name: "l2", objective: Objective::L2, total_variation: 0.0, soft: false },
    Case { name: "cosine", objective: Objective::Cosine, total_variation: 0.0, soft: false },
    Case { name: "cosine_tv", objective: Objective::Cosine, total_variation: 1e-2, soft: false },
    Case { name: "l2_soft", objective: Objective::L2, total_variation: 0.0, soft: true },
];

/// What one trial is given.
#[derive(Clone)]
pub(crate) struct Trial {
    pub x: Vec<f64>,
    pub labels: Vec<f64>,
    /// Each tensor of the observed gradient.
    pub observed: Vec<Vec<f64>>,
}

impl Case {
    pub(crate) fn problem(&self, victim: &Victim, trials: usize, shared_target: bool) -> Problem {
        let config = AttackConfig {
            objective: self.objective,
            total_variation: self.total_variation,
            ..AttackConfig::preset("ig", victim.model.depth()).unwrap()
        };
        let sizes = Sizes { shared_target, ..Sizes::one_target(trials, BATCH, self.soft) };
        let protocol = Protocol::default();
        let scene = Scene {
            model: &victim.model,
            protocol: &protocol,
            config: &config,
            views: &[],
            weighted: false,
            scaled: false,
        };
        Problem::new(&scene, &Pixels::free(BATCH, victim.model.image), sizes)
    }

    /// The trial of the fixtures.
    pub(crate) fn trial(&self, victim: &Victim, problem: &Problem) -> Trial {
        let soft = || victim.inputs["label_logits"].data.clone();
        Trial {
            x: victim.inputs["x_hat"].data.clone(),
            labels: if self.soft { soft() } else { victim.hard_labels() },
            observed: victim.observed(&problem.parameters),
        }
    }
}

/// What PyTorch compares with: the total, ∂total/∂x, and ∂total/∂labels where they are soft.
pub(crate) fn results(problem: &Problem) -> Vec<Var> {
    [problem.total].into_iter().chain(problem.gradients.iter().copied()).collect()
}

/// The values of `keep` for each trial, all run as one problem. A shared target is the first trial's.
pub(crate) fn run(
    target: &Target,
    victim: &Victim,
    problem: &Problem,
    trials: &[Trial],
    keep: &[Var],
) -> Vec<Vec<Vec<f64>>> {
    assert_eq!(trials.len(), problem.sizes.trials);
    let mut inputs = victim.weights(&problem.parameters);
    inputs.push((problem.x, trials.iter().flat_map(|t| t.x.clone()).collect()));
    inputs.push((problem.labels, trials.iter().flat_map(|t| t.labels.clone()).collect()));
    let observers = if problem.sizes.shared_target { &trials[..1] } else { trials };
    for (i, &var) in problem.observed.iter().enumerate() {
        inputs.push((var, observers.iter().flat_map(|t| t.observed[i].clone()).collect()));
    }
    let values = target.evaluate(&problem.tape, keep, &inputs);
    let of_trial = |t: usize| {
        let part = |v: &Vec<f64>| v.chunks(v.len() / trials.len()).nth(t).unwrap().to_vec();
        values.iter().map(part).collect()
    };
    (0..trials.len()).map(of_trial).collect()
}

/// The results that PyTorch found.
pub(crate) fn expected(case: &Case, victim: &Victim) -> Vec<Vec<f64>> {
    let mut names = vec![format!("{}.loss", case.name), format!("{}.dx", case.name)];
    if case.soft {
        names.push(format!("{}.dlogits", case.name));
    }
    names.iter().map(|name| victim.matching[name].data.clone()).collect()
}

/// Compares the results of one trial.
pub(crate) fn assert_results(target: &Target, what: &str, found: &[Vec<f64>], expected: &[Vec<f64>]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let name = ["total", "∂total/∂x", "∂total/∂labels"][i];
        target.assert_close(&format!("{what}, {name}"), f, e);
    }
}

#[test]
fn matching_losses_and_their_gradients_equal_those_of_pytorch() {
    for victim in victims() {
        for case in CASES {
            let problem = case.problem(&victim, 1, true);
            let trial = case.trial(&victim, &problem);
            for target in targets() {
                let found = run(target, &victim, &problem, std::slice::from_ref(&trial), &results(&problem));
                let what = format!("{}, {}", victim.name, case.name);
                assert_results(target, &what, &found[0], &expected(&case, &victim));
            }
        }
    }
}

#[test]
fn norm_ratios_equal_those_of_pytorch() {
    for victim in victims() {
        for case in CASES.iter().filter(|c| !c.soft) {
            let problem = case.problem(&victim, 1, true);
            let trial = case.trial(&victim, &problem);
            let [trial_norm, observed_norm] =
                ["trial.norm", "observed.norm"].map(|name| victim.matching[name].data[0]);
            for target in targets() {
                let found =
                    run(target, &victim, &problem, std::slice::from_ref(&trial), &[problem.norm_ratio]);
                let what = format!("{}, {}, norm ratio", victim.name, case.name);
                target.assert_close(&what, &found[0][0], &[trial_norm / observed_norm]);
            }
        }
    }
}
