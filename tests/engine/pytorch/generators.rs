//! What generators make, and gradient matching through them, by every tensor that an attack may move.
//! `make_generators.py` says the same in PyTorch.

use std::sync::Arc;

use gia_gpu::{
    attack::{
        config::{AttackConfig, Output},
        generated::{Classes, Features, Source, Weights},
        problem::{Problem, Scene, Sizes},
        unknown::Moves,
    },
    data::Normalisation,
    federated::Protocol,
    nn::{
        Depth,
        generator::{Dcgan, Decoder, Generator, apply, declarations, spectral, tensors_of},
    },
    tape::{Tape, Var},
};

use super::{
    family::{BATCH, Family},
    formula,
    sketched::assert_sketched,
};
use crate::devices::{Target, targets};

const TRIALS: usize = 2;
const WIDTH: usize = 4;

/// The generator of this fixture.
fn generator(family: &Family) -> Arc<dyn Generator> {
    if family.name == "decoder" {
        return Arc::new(Decoder::new(BATCH, family.model.image).of_width(WIDTH));
    }
    let widths = [100, 16, 8, 4, 2];
    let shapes: Vec<[usize; 4]> = widths.windows(2).map(|pair| [pair[0], pair[1], 4, 4]).collect();
    let shapes = [shapes, vec![[2, 3, 1, 1]]].concat();
    let shape = |name: &str| {
        let layer: usize = name.strip_prefix("main.")?.strip_suffix(".weight")?.parse().ok()?;
        shapes.get(layer / 3).map(|shape| &shape[..])
    };
    Arc::new(Dcgan::of_shapes(shape).unwrap())
}

/// The tensors of a trial by formula, u and v as PyTorch's forward pass leaves them.
fn tensors(family: &Family, target: &Target, trial: usize) -> Vec<Vec<f64>> {
    let declarations = declarations(&*generator(family));
    let mut values: Vec<Vec<f64>> = declarations
        .iter()
        .enumerate()
        .map(|(i, d)| formula::weight(100 * trial + i, &d.name, &d.shape, 1.0))
        .collect();
    let mut tape = Tape::new();
    let inputs: Vec<Var> = declarations.iter().map(|d| tape.input(&[&[1], &d.shape[..]].concat())).collect();
    let moved = spectral::moved(&mut tape, &declarations, &inputs);
    if moved.is_empty() {
        return values;
    }
    // What the power iteration does not read is no part of the plan.
    let read = |name: &str| name.ends_with("weight_orig") || name.ends_with("weight_u");
    let given = inputs.iter().zip(&values).zip(&declarations).filter(|(_, d)| read(&d.name));
    let given: Vec<(Var, Vec<f64>)> = given.map(|((&var, values), _)| (var, values.clone())).collect();
    let mut moved = target.evaluate(&tape, &moved, &given).into_iter();
    for (declaration, values) in declarations.iter().zip(&mut values) {
        if spectral::is_moved(declaration) {
            *values = moved.next().unwrap();
        }
    }
    values
}

/// The worst relative error of ∂total by any tensor.
fn check(family: &Family, target: &Target) -> f64 {
    let config = AttackConfig { total_variation: 0.0, ..AttackConfig::preset("ig", Depth::Deep).unwrap() };
    let protocol = Protocol::default();
    let scene = Scene {
        model: &family.model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled: false,
    };
    let source = Source {
        generator: generator(family),
        image: family.model.image,
        normalisation: Normalisation::default(),
        output: Output::Half,
        classes: Classes::Open,
    };
    let unknown = Weights::drawn(BATCH, source);
    let problem = Problem::new(&scene, &unknown, Sizes::one_target(TRIALS, BATCH, false));
    let own: Vec<Vec<Vec<f64>>> = (0..TRIALS).map(|trial| tensors(family, target, trial)).collect();
    let numbers = generator(family).latent();
    let latent = |trial| formula::picture(0, trial, BATCH * numbers);
    let mut inputs = vec![(problem.variables[0].var, (0..TRIALS).flat_map(latent).collect())];
    for (i, moved) in problem.variables[1..].iter().enumerate() {
        inputs.push((moved.var, own.iter().flat_map(|tensors| tensors[i].iter().copied()).collect()));
    }
    inputs.extend(family.weights(&problem.parameters));
    inputs.push((problem.labels, family.targets(BATCH).repeat(TRIALS)));
    let observed = family.observed(&problem.parameters, "gradient");
    inputs.extend(problem.observed.iter().copied().zip(observed));

    let moved: Vec<usize> = (0..problem.variables.len())
        .filter(|&i| problem.variables[i].about.moves == Moves::Optimiser)
        .collect();
    let mut keep = vec![problem.total, problem.x, problem.gradients[0]];
    keep.extend(moved.iter().map(|&i| problem.gradients[i]));
    let values = target.evaluate(&problem.tape, &keep, &inputs);
    let of_trial = |all: &[f64], trial: usize| -> Vec<f64> {
        all.chunks(all.len() / TRIALS).nth(trial).unwrap().to_vec()
    };
    let each = |i: usize| -> Vec<Vec<f64>> { (0..TRIALS).map(|trial| of_trial(&values[i], trial)).collect() };
    target.assert_close("total", &values[0], family.data("total"));
    assert_sketched(target, |t| format!("pictures of trial {t}"), &each(1), family.data("pictures"));
    let latent =
        assert_sketched(target, |t| format!("∂total/∂z of trial {t}"), &each(2), family.data("latent"));
    let rules: Vec<usize> =
        (1..problem.variables.len()).filter(|&i| problem.variables[i].about.moves == Moves::Rule).collect();
    let vectors: Vec<Vec<f64>> =
        own.iter().flat_map(|tensors| rules.iter().map(|&i| tensors[i - 1].clone())).collect();
    if !vectors.is_empty() {
        assert_sketched(target, |i| format!("vector {i}"), &vectors, family.data("vectors"));
    }
    let slopes: Vec<Vec<f64>> = (0..TRIALS)
        .flat_map(|trial| values[3..].iter().map(move |all| (trial, all)))
        .map(|(trial, all)| of_trial(all, trial))
        .collect();
    let table = family.data("weights");
    latent.max(assert_sketched(target, |i| format!("∂total by tensor {i}"), &slopes, table))
}

/// The worst relative error of ∂total by what goes into each further stage.
fn check_features(family: &Family, target: &Target) -> f64 {
    let config = AttackConfig { total_variation: 0.0, ..AttackConfig::preset("ig", Depth::Deep).unwrap() };
    let protocol = Protocol::default();
    let scene = Scene {
        model: &family.model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled: false,
    };
    let generator = generator(family);
    let own = tensors(family, target, 0);
    let latent = formula::picture(0, 0, BATCH * generator.latent());
    let slopes = (1..generator.stages()).map(|stage| {
        let mut tape = Tape::new();
        let z = tape.input(&[1, BATCH, generator.latent()]);
        let used = tensors_of(&*generator, 0..stage);
        let declared = &declarations(&*generator)[used.clone()];
        let inputs: Vec<Var> = declared.iter().map(|d| tape.input(&[&[1], &d.shape[..]].concat())).collect();
        let features = apply(&*generator, &mut tape, 0..stage, z, &inputs);
        let given = inputs.into_iter().zip(own[used].iter().cloned()).chain([(z, latent.clone())]);
        let values = target.evaluate(&tape, &[features], &given.collect::<Vec<_>>()).swap_remove(0);

        let source = Source {
            generator: Arc::clone(&generator),
            image: family.model.image,
            normalisation: Normalisation::default(),
            output: Output::Half,
            classes: Classes::Open,
        };
        let narrow = own.iter().map(|t| t.iter().map(|&v| v as f32).collect());
        let unknown =
            Features { batch: BATCH, source, tensors: Arc::new(narrow.collect()), stage, radius: 1.0 };
        let problem = Problem::new(&scene, &unknown, Sizes::one_target(1, BATCH, false));
        let mut inputs = vec![(problem.variables[0].var, values)];
        let first = tensors_of(&*generator, 0..stage).end;
        inputs.extend(problem.constants.iter().copied().zip(own[first..].iter().cloned()));
        inputs.extend(family.weights(&problem.parameters));
        inputs.push((problem.labels, family.targets(BATCH)));
        let observed = family.observed(&problem.parameters, "gradient");
        inputs.extend(problem.observed.iter().copied().zip(observed));
        target.evaluate(&problem.tape, &[problem.gradients[0]], &inputs).swap_remove(0)
    });
    let slopes: Vec<Vec<f64>> = slopes.collect();
    assert_sketched(
        target,
        |i| format!("∂total by what goes into stage {}", i + 1),
        &slopes,
        family.data("features"),
    )
}

fn check_everywhere(name: &str) {
    let family = Family::load(name);
    let errors = targets().iter().map(|target| format!("{:.1e}", check(&family, target)));
    println!("{name}: {:?}", errors.collect::<Vec<_>>());
}

#[test]
fn an_untrained_decoder_and_every_derivative_equal_those_of_pytorch() {
    check_everywhere("decoder");
}

#[test]
fn a_dcgan_and_every_derivative_equal_those_of_pytorch() {
    check_everywhere("dcgan");
    let family = Family::load("dcgan");
    let errors = targets().iter().map(|target| format!("{:.1e}", check_features(&family, target)));
    println!("features: {:?}", errors.collect::<Vec<_>>());
}
