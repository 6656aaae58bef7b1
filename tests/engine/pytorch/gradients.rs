//! The victim's forward pass and its training gradient.

use gia_gpu::{
    nn::{Mode, loss::cross_entropy},
    tape::Tape,
};

use super::victim::{BATCH, CLASSES, Victim, victims};
use crate::devices::targets;

/// Logits, loss and every parameter's gradient, on `trials` equal trials.
fn check(victim: &Victim, trials: usize) {
    let mut tape = Tape::new();
    let [c, h, w] = victim.model.image;
    let x = tape.input(&[trials, BATCH, c, h, w]);
    let labels = tape.input(&[trials, BATCH, CLASSES]);
    let pass = victim.model.apply(&mut tape, x, Mode::Eval);
    let (logits, parameters) = (pass.logits, pass.parameters);
    let loss = cross_entropy(&mut tape, logits, labels);
    let trainable: Vec<_> = parameters.iter().filter(|p| p.declaration.trainable).collect();
    let gradient = tape.grad(loss, &trainable.iter().map(|p| p.value).collect::<Vec<_>>());

    let mut inputs = victim.weights(&parameters);
    inputs.push((x, victim.inputs["x"].data.repeat(trials)));
    inputs.push((labels, victim.hard_labels().repeat(trials)));
    let keep: Vec<_> = [logits, loss].into_iter().chain(gradient).collect();
    let names = ["logits".into(), "loss".into()]
        .into_iter()
        .chain(trainable.iter().map(|p| format!("grad.{}", p.declaration.name)));
    for target in targets() {
        let values = target.evaluate(&tape, &keep, &inputs);
        for (name, found) in names.clone().zip(values) {
            let expected = &victim.grad[&name];
            for (t, found) in found.chunks(expected.data.len()).enumerate() {
                let what = format!("{}, {name}, trial {t} of {trials}", victim.name);
                target.assert_close(&what, found, &expected.data);
            }
        }
    }
}

#[test]
fn logits_loss_and_parameter_gradients_equal_those_of_pytorch() {
    victims().iter().for_each(|victim| check(victim, 1));
}

#[test]
fn every_one_of_three_equal_trials_has_the_gradients_of_pytorch() {
    victims().iter().for_each(|victim| check(victim, 3));
}
