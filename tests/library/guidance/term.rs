//! The term that guides: its value, its gradient, and its weight.

use std::collections::BTreeMap;

use gia_gpu::{
    attack::{
        adam::{Adam, Iteration},
        config::{AttackConfig, Objective, Sought},
        guidance::{Guide, Pull},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
        pyramid::Pyramid,
        unknown::Unknown,
    },
    clip::Clip,
    data::Normalisation,
    device::{Device, cpu::Cpu},
    federated::Protocol,
    nn::{Depth, Model, Options, loss::one_hot},
    plan::Plan,
    random,
    tape::Var,
};

use super::{clip, directions, guided, width};
use crate::devices;

const TRIALS: usize = 2;
const BATCH: usize = 2;

/// A problem of two trials whose matching does not matter, and values for its inputs.
fn scene(clip: &Clip, channels: usize, weight: f64) -> (Problem, Vec<(Var, Vec<f64>)>) {
    scene_of(clip, channels, weight, |_| {})
}

/// The same with more of the configuration changed; where pictures are looked at in copies, in those of iteration 5.
fn scene_of(
    clip: &Clip,
    channels: usize,
    weight: f64,
    change: impl Fn(&mut AttackConfig),
) -> (Problem, Vec<(Var, Vec<f64>)>) {
    let model = Model::new(
        "mlp",
        &Options { hidden: Some(vec![4]), ..Options::default() },
        Some([channels, 12, 12]),
        3,
    )
    .unwrap();
    let mut config = AttackConfig::preset("ig", Depth::Deep).unwrap();
    config.objective = Objective::L2;
    guided(&mut config, weight);
    change(&mut config);
    let protocol = Protocol::default();
    let scene = Scene {
        model: &model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled: false,
    };
    let guide = Guide { encoder: clip, names: &[], width: width(clip), hypotheses: &[], oracle: false };
    let normalisation = Normalisation::default().for_channels(channels);
    let sizes = Sizes::one_target(TRIALS, BATCH, false);
    let pixels = Pixels::free(BATCH, model.image);
    let pyramid = Pyramid { batch: BATCH, image: model.image, normalisation: normalisation.clone() };
    let unknown: &dyn Unknown = if config.sought == Sought::Pyramid { &pyramid } else { &pixels };
    let (problem, frozen) = Problem::guided(
        &scene,
        unknown,
        sizes,
        Some(Pull { guide: &guide, normalisation: &normalisation, seed: 9 }),
    );
    let mut generator = random::generator(6, "inputs");
    let mut normal =
        |len: usize| random::normal(&mut generator, len).into_iter().map(f64::from).collect::<Vec<_>>();
    let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
    let len = |var: Var| problem.tape.len_of(var);
    let mut inputs: Vec<(Var, Vec<f64>)> = vec![];
    for moved in &problem.variables {
        inputs.push((moved.var, normal(len(moved.var)).iter().map(|v| 0.3 * v).collect()));
    }
    inputs.push((problem.labels, wide(&one_hot(&[0, 2, 1, 1], 3))));
    for var in problem.observed.iter().copied().chain(problem.parameters.iter().map(|p| p.stored)) {
        inputs.push((var, normal(len(var))));
    }
    let inputs_of = problem.guidance.unwrap();
    inputs.push((inputs_of.names, wide(&directions(clip, TRIALS * BATCH))));
    // The last picture of the second trial has no name.
    inputs.push((inputs_of.named, vec![1.0, 1.0, 1.0, 0.0]));
    inputs.push((inputs_of.weight, vec![weight]));
    inputs.extend(inputs_of.look.map(|look| (look, vec![5.0])));
    inputs.extend(frozen.iter().map(|(var, values)| (*var, wide(values))));
    (problem, inputs)
}

/// Of every trial: total minus objective minus total variation is the term; so the term at any x is seen in `total` at two λ.
fn totals(problem: &Problem, inputs: &[(Var, Vec<f64>)], keep: &[Var]) -> Vec<Vec<f64>> {
    devices::targets()[0].evaluate(&problem.tape, keep, inputs)
}

fn with(inputs: &[(Var, Vec<f64>)], var: Var, values: Vec<f64>) -> Vec<(Var, Vec<f64>)> {
    inputs.iter().map(|(v, old)| (*v, if *v == var { values.clone() } else { old.clone() })).collect()
}

#[test]
fn the_term_is_what_the_encoder_says_of_each_trials_pictures_and_names() {
    let clip = clip();
    for channels in [3, 1] {
        let (problem, inputs) = scene(&clip, channels, 0.7);
        let weight = problem.guidance.unwrap().weight;
        let at =
            |lambda: f64| totals(&problem, &with(&inputs, weight, vec![lambda]), &[problem.total]).remove(0);
        let (none, some) = (at(0.0), at(0.7));

        // The same from pictures, by the encoder alone.
        let normalisation = Normalisation::default().for_channels(channels);
        let x: Vec<f32> = inputs[0].1.iter().map(|&v| v as f32).collect();
        let device = Cpu::<f32>::new();
        let mut images = gia_gpu::clip::ImageEncoder::new(&device, &clip, 4).unwrap();
        let names = directions(&clip, TRIALS * BATCH);
        let names: Vec<&[f32]> = names.chunks(width(&clip)).collect();
        let plane = 12 * 12;
        let mut expected = [0.0f64; TRIALS];
        for (i, picture) in x.chunks(channels * plane).enumerate().take(3) {
            // Unclamped, as the term takes them.
            let pixels = (0..3).flat_map(|c| {
                let c = c.min(channels - 1);
                let (mean, std) = (normalisation.mean()[c], normalisation.std()[c]);
                picture[c * plane..][..plane].iter().map(move |v| v * std + mean).collect::<Vec<_>>()
            });
            let pixels: Vec<f32> = pixels.collect();
            assert!(
                pixels.iter().all(|v| (0.0..=1.0).contains(v)),
                "the scene's pictures are within the box"
            );
            let picture = gia_gpu::data::Picture::new(3, 12, 12, pixels).unwrap();
            let prepared = images.prepare(picture).unwrap();
            let feature = images.features(&prepared).unwrap();
            let norm = feature.iter().map(|v| v * v).sum::<f32>().sqrt();
            let dot: f32 = feature.iter().zip(names[i]).map(|(a, b)| a * b).sum();
            expected[i / BATCH] += f64::from(1.0 - dot / norm);
        }
        for t in 0..TRIALS {
            let found = (some[t] - none[t]) / 0.7;
            assert!((found - expected[t]).abs() < 1e-4, "trial {t}: {found}, expected {}", expected[t]);
        }
    }
}

#[test]
fn the_gradient_of_copies_and_of_a_pyramid_is_their_finite_difference_on_every_device() {
    let clip = clip();
    for (sought, views) in [(Sought::Pixels, Some(3)), (Sought::Pyramid, None), (Sought::Pyramid, Some(2))] {
        let (problem, inputs) = scene_of(&clip, 3, 50.0, |config| {
            config.sought = sought;
            config.guidance.as_mut().unwrap().views = views;
        });
        let keep: Vec<Var> = [problem.total].into_iter().chain(problem.gradients.clone()).collect();
        let found = totals(&problem, &inputs, &keep);
        let mut generator = random::generator(7, "directions");
        let vars: Vec<Var> = problem.variables.iter().map(|moved| moved.var).collect();
        let mut directed = inputs.clone();
        directed.truncate(vars.len());
        for (_, values) in &mut directed {
            *values = random::normal(&mut generator, values.len()).into_iter().map(f64::from).collect();
        }
        let step = 1e-6;
        let at = |sign: f64| {
            let mut moved = inputs.clone();
            for ((_, values), (_, directions)) in moved.iter_mut().zip(&directed) {
                values.iter_mut().zip(directions).for_each(|(x, d)| *x += sign * step * d);
            }
            totals(&problem, &moved, &[problem.total]).remove(0).iter().sum::<f64>()
        };
        let difference = (at(1.0) - at(-1.0)) / (2.0 * step);
        let slope: f64 = found[1..]
            .iter()
            .zip(&directed)
            .map(|(g, (_, d))| g.iter().zip(d).map(|(g, d)| g * d).sum::<f64>())
            .sum();
        let what = format!("{sought}, {views:?}");
        assert!(
            (slope - difference).abs() < 1e-5 * difference.abs().max(1.0),
            "{what}: {slope}, {difference}"
        );
        if let Some(look) = problem.guidance.unwrap().look {
            let other = totals(&problem, &with(&inputs, look, vec![6.0]), &keep);
            assert_ne!(other[0], found[0], "the looks of another iteration are others");
        }
        for target in &devices::targets()[1..] {
            for (i, (a, b)) in target.evaluate(&problem.tape, &keep, &inputs).iter().zip(&found).enumerate() {
                target.assert_close(&format!("{what}, {i}"), a, b);
            }
        }
    }
}

#[test]
fn the_totals_gradient_is_its_finite_difference_and_the_devices_agree() {
    let clip = clip();
    let (problem, inputs) = scene(&clip, 3, 50.0);
    let keep = [problem.total, problem.gradients[0]];
    let found = totals(&problem, &inputs, &keep);
    let x = &inputs[0].1;
    let direction: Vec<f64> =
        random::normal(&mut random::generator(7, "direction"), x.len()).into_iter().map(f64::from).collect();
    let step = 1e-6;
    let moved = |sign: f64| x.iter().zip(&direction).map(|(x, d)| x + sign * step * d).collect::<Vec<f64>>();
    let at = |sign: f64| totals(&problem, &with(&inputs, problem.x, moved(sign)), &[problem.total]).remove(0);
    let (above, below) = (at(1.0), at(-1.0));
    let len = x.len() / TRIALS;
    let mut slopes = vec![];
    for t in 0..TRIALS {
        let slope: f64 = (t * len..(t + 1) * len).map(|i| found[1][i] * direction[i]).sum();
        let difference = (above[t] - below[t]) / (2.0 * step);
        assert!(
            (slope - difference).abs() < 1e-5 * difference.abs().max(1.0),
            "trial {t}: {slope}, {difference}"
        );
        slopes.push(slope);
    }
    // The names reach the gradient: with those of the trials exchanged it is another.
    let names = problem.guidance.unwrap().names;
    let (_, values) = inputs.iter().find(|(var, _)| *var == names).unwrap();
    let exchanged = [&values[values.len() / 2..], &values[..values.len() / 2]].concat();
    let other = totals(&problem, &with(&inputs, names, exchanged), &keep);
    let slope: f64 = (0..len).map(|i| other[1][i] * direction[i]).sum();
    assert!((slope - slopes[0]).abs() > 1e-3 * slopes[0].abs(), "{slope} {}", slopes[0]);

    for target in &devices::targets()[1..] {
        for (what, (a, b)) in ["total", "gradient"]
            .iter()
            .zip(target.evaluate(&problem.tape, &keep, &inputs).iter().zip(&found))
        {
            target.assert_close(what, a, b);
        }
    }
}

#[test]
fn when_the_weight_is_0_the_total_is_the_objective() {
    let clip = clip();
    let model =
        Model::new("mlp", &Options { hidden: Some(vec![4]), ..Options::default() }, Some([3, 12, 12]), 3)
            .unwrap();
    let mut config = AttackConfig::preset("ig", Depth::Deep).unwrap();
    config.total_variation = 0.0;
    guided(&mut config, 0.5);
    let protocol = Protocol::default();
    let scene = Scene {
        model: &model,
        protocol: &protocol,
        config: &config,
        views: &[],
        weighted: false,
        scaled: false,
    };
    let names = directions(&clip, TRIALS * BATCH);
    let guide = Guide { encoder: &clip, names: &names, width: width(&clip), hypotheses: &[], oracle: false };
    let normalisation = Normalisation::default();
    let pixels = Pixels::free(BATCH, model.image);
    let sizes = Sizes::one_target(TRIALS, BATCH, false);
    let (mut problem, frozen) = Problem::guided(
        &scene,
        &pixels,
        sizes,
        Some(Pull { guide: &guide, normalisation: &normalisation, seed: 9 }),
    );
    let inputs = problem.guidance.unwrap();
    // λ as the plan of an attack steps it, with the totals kept.
    let adam = Adam::of(config.optimiser, 1).unwrap();
    let iteration = Iteration::new(&mut problem, &pixels, adam, 8);
    let mut steps = Cpu::<f32>::new().compile(&iteration.plan).unwrap();
    let mut look = Cpu::<f32>::new()
        .compile(&Plan::new(&problem.tape, &[problem.total, problem.objective], &[]))
        .unwrap();
    let mut generator = random::generator(8, "inputs");
    let mut values: BTreeMap<Var, Vec<f32>> = BTreeMap::new();
    let vars = problem.observed.iter().copied().chain(problem.parameters.iter().map(|p| p.stored));
    for var in vars.chain([problem.x]) {
        values.insert(var, random::normal(&mut generator, problem.tape.len_of(var)));
    }
    values.insert(problem.labels, one_hot(&[0, 2, 1, 1], 3));
    values.insert(inputs.names, names.clone());
    values.insert(inputs.named, vec![1.0; TRIALS * BATCH]);
    values.extend(frozen.iter().map(|(var, data)| (*var, data.to_vec())));
    for exe in [&mut steps, &mut look] {
        values.iter().for_each(|(var, data)| exe.write(*var, data).unwrap());
    }
    steps.write(inputs.weight, &[inputs.schedule.at(0, 8) as f32]).unwrap();
    for i in 0..8 {
        let weight = steps.read(inputs.weight).unwrap();
        assert_eq!(weight, [inputs.schedule.at(i, 8) as f32], "iteration {i}");
        look.write(inputs.weight, &weight).unwrap();
        look.write(problem.x, &steps.read(problem.x).unwrap()).unwrap();
        look.run(1).unwrap();
        let (total, objective) = (look.read(problem.total).unwrap(), look.read(problem.objective).unwrap());
        assert_eq!(total == objective, i >= 4, "iteration {i}: {total:?} {objective:?}");
        steps.run(1).unwrap();
    }
}
