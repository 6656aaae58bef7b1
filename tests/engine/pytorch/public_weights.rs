//! Weights that others trained: the public ResNet-20 for CIFAR-10, where `GIA_WEIGHTS` names its folder.

use std::path::PathBuf;

use gia_gpu::{
    federated::{Request, Victim},
    nn::Mode,
    tape::{Tape, Var},
};

use super::formula;
use crate::{common::fixture, devices::targets};

const BATCH: usize = 4;

#[test]
fn the_public_resnet20_loads_and_has_the_logits_of_pytorch() {
    let Some(folder) = std::env::var_os("GIA_WEIGHTS").map(PathBuf::from) else {
        return eprintln!("skipped: GIA_WEIGHTS names no folder with resnet20_cifar10.safetensors");
    };
    let path = folder.join("resnet20_cifar10.safetensors");
    let victim = Victim::from_file(&path, &Request::named("resnet20")).unwrap();
    assert_eq!((victim.model.image, victim.model.classes), ([3, 32, 32], 10));

    let mut tape = Tape::new();
    let x = tape.input(&[1, BATCH, 3, 32, 32]);
    let pass = victim.model.apply(&mut tape, x, Mode::Eval);
    let widened = |tensor: &Vec<f32>| tensor.iter().copied().map(f64::from).collect();
    let weights = pass.parameters.iter().zip(&victim.tensors).map(|(p, t)| (p.stored, widened(t)));
    let mut inputs: Vec<(Var, Vec<f64>)> = weights.collect();
    inputs.push((x, formula::picture(0, 0, tape.len_of(x))));
    let expected = &fixture("resnet20_cifar10_logits")["logits"];
    for target in targets() {
        let found = target.evaluate(&tape, &[pass.logits], &inputs);
        target.assert_close("logits of resnet20_cifar10", &found[0], &expected.data);
    }
}
