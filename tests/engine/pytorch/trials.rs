//! Three trials in one problem: each gets what it would get alone, whatever its neighbours are given.

use super::{
    matching::{CASES, Case, Trial, assert_results, expected, results, run},
    victim::{BATCH, Victim, victims},
};
use crate::devices::{Target, targets};

/// The fixtures' trial between two others: other labels, other targets, and once the client's images,
/// which are as far from a tie of a ReLU or a maximum as the trial's.
fn neighbours(victim: &Victim, middle: &Trial) -> [Trial; 3] {
    let classes = middle.labels.len() / BATCH;
    let moved = |image: &str, shift: usize, scale: f64| Trial {
        x: victim.inputs[image].data.clone(),
        labels: middle
            .labels
            .chunks(classes)
            .flat_map(|row| [&row[shift..], &row[..shift]].concat())
            .collect(),
        observed: middle.observed.iter().map(|g| g.iter().map(|v| v * scale).collect()).collect(),
    };
    [moved("x", 1, 0.5), middle.clone(), moved("x_hat", 4, -1.25)]
}

fn alone(target: &Target, victim: &Victim, case: &Case, trial: &Trial) -> Vec<Vec<f64>> {
    let problem = case.problem(victim, 1, true);
    run(target, victim, &problem, std::slice::from_ref(trial), &results(&problem)).remove(0)
}

#[test]
fn three_trials_with_targets_of_their_own_get_what_each_gets_alone() {
    for victim in victims() {
        for case in CASES {
            let problem = case.problem(&victim, 3, false);
            let trials = neighbours(&victim, &case.trial(&victim, &problem));
            for target in targets() {
                let found = run(target, &victim, &problem, &trials, &results(&problem));
                let what = format!("{}, {}, unshared target", victim.name, case.name);
                assert_results(target, &what, &found[1], &expected(&case, &victim));
                for t in [0, 2] {
                    let expected = alone(target, &victim, &case, &trials[t]);
                    assert_results(target, &format!("{what}, trial {t}"), &found[t], &expected);
                }
            }
        }
    }
}

#[test]
fn three_trials_of_one_target_get_what_each_gets_alone() {
    for victim in victims() {
        for case in CASES {
            let problem = case.problem(&victim, 3, true);
            let middle = case.trial(&victim, &problem);
            let trials =
                neighbours(&victim, &middle).map(|t| Trial { observed: middle.observed.clone(), ..t });
            for target in targets() {
                let found = run(target, &victim, &problem, &trials, &results(&problem));
                let what = format!("{}, {}, shared target", victim.name, case.name);
                assert_results(target, &what, &found[1], &expected(&case, &victim));
                for t in [0, 2] {
                    let expected = alone(target, &victim, &case, &trials[t]);
                    assert_results(target, &format!("{what}, trial {t}"), &found[t], &expected);
                }
            }
        }
    }
}
