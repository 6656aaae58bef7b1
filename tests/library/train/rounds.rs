//! Federated rounds: undefended they are the same training, however many clients there are; defended they are not.

use gia_gpu::{
    device::cpu::Cpu,
    federated::defence::parse,
    train::{Defending, Optimiser, Recipe, Rounds, State, Step},
};

use super::victim;

const CLASSES: usize = 3;
const INPUTS: usize = 2 * 16 * 16;

fn pictures() -> (Vec<f32>, Vec<usize>) {
    let images = (0..12 * INPUTS).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    (images, (0..12).map(|i| i * 5 % CLASSES).collect())
}

fn recipe(defences: &str, client_batch: usize) -> Recipe {
    let defences = if defences.is_empty() { vec![] } else { parse(defences).unwrap() };
    Recipe {
        batch: 12,
        label_smoothing: 0.1,
        defending: Some(Defending { defences, client_batch }),
        ..Recipe::default()
    }
}

/// Tensors after three steps.
fn trained(recipe: &Recipe, options: &str) -> Vec<Vec<f32>> {
    let victim = victim("lenet5", options, [2, 16, 16], CLASSES);
    let device = Cpu::<f64>::new();
    let (images, labels) = pictures();
    let start = State::start(&victim, recipe.optimiser);
    let Some(defending) = &recipe.defending else {
        let mut step = Step::new(&device, &victim.model, recipe).unwrap();
        step.write(&start).unwrap();
        (0..3).for_each(|i| assert!(step.run(&images, &labels, 0.1, i).unwrap().loss > 0.0));
        return step.tensors().unwrap();
    };
    let mut rounds = Rounds::new(&device, &victim, recipe, defending).unwrap();
    rounds.write(&start).unwrap();
    for i in 0..3 {
        let seen = rounds.run(&images, &labels, 0.1, i).unwrap();
        assert!(seen.loss > 0.0 && seen.right <= 12);
    }
    assert_eq!(rounds.read().unwrap().tensors, rounds.tensors());
    rounds.tensors()
}

fn apart(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    norm(&mut pairs.map(|(a, b)| f64::from(a - b))) / norm(&mut a.iter().flatten().map(|v| f64::from(*v)))
}

#[test]
fn undefended_rounds_are_the_same_training() {
    for optimiser in [Optimiser::default(), Optimiser::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }] {
        let whole = trained(&Recipe { defending: None, optimiser, ..recipe("", 12) }, "");
        for client_batch in [12, 4, 1] {
            let rounds = trained(&Recipe { optimiser, ..recipe("", client_batch) }, "");
            let apart = apart(&whole, &rounds);
            assert!(apart < 1e-6, "clients of {client_batch}, {optimiser:?}: {apart:e}");
        }
    }
}

#[test]
fn defences_act_on_each_client() {
    let plain = trained(&recipe("", 4), "");
    // Longer than any gradient: nothing is clipped, and the noise is nothing.
    assert!(apart(&plain, &trained(&recipe("clip:1e6", 4), "")) < 1e-6);
    assert!(apart(&plain, &trained(&recipe("dp-sgd:1e3:1e-12", 4), "")) < 1e-6);
    for defence in ["noise:0.1", "clip:0.01", "dp-sgd:1:1", "top-k:0.1", "sign", "soteria:0.8"] {
        let once = trained(&recipe(defence, 4), "");
        assert!(apart(&plain, &once) > 1e-4, "{defence}");
        assert_eq!(once, trained(&recipe(defence, 4), ""), "{defence}");
    }
    // The noises of more clients average out.
    let far = |batch| apart(&trained(&recipe("", batch), ""), &trained(&recipe("noise:0.1", batch), ""));
    assert!(far(1) < 0.6 * far(12), "{} {}", far(1), far(12));
}

#[test]
fn a_recipe_refuses_clients_that_do_not_divide_its_batch() {
    let refused = |recipe: Recipe| recipe.check(100).unwrap_err().to_string();
    assert!(refused(recipe("", 5)).starts_with("client-batch: expected a divisor"));
    assert!(refused(recipe("", 0)).starts_with("client-batch"));
    assert!(refused(recipe("clip:1,dp-sgd:1:1", 4)).starts_with("defence"));
}
