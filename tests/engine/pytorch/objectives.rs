//! Every objective, weighting, prior and view of an attack on one small network with batch norm.
//! `make_objectives.py` says the same in PyTorch.

use gia_gpu::{
    attack::{
        config::{AttackConfig, LayerWeights, Layers, Objective, StatisticsTarget},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    federated::{Protocol, defence::adapt::View},
    nn::{Depth, Mode},
    tape::Var,
};

use super::{
    family::{BATCH, Family, mode_name},
    formula,
    sketched::assert_sketched,
};
use crate::devices::{Target, targets};

const SHARE: f64 = 0.3;
const CLIP: f64 = 0.5;

/// What an attack does, and what it is given.
struct Case {
    name: &'static str,
    config: AttackConfig,
    views: Vec<View>,
    /// The target comes with weights of its own for its tensors.
    weighted: bool,
    /// The target's negative entries are 0.
    positive: bool,
    scale: usize,
    groups: Vec<usize>,
}

fn case(name: &'static str, change: impl Fn(&mut Case)) -> Case {
    let config = AttackConfig {
        objective: Objective::Cosine,
        total_variation: 0.0,
        ..AttackConfig::preset("ig", Depth::Deep).unwrap()
    };
    let (views, groups) = (vec![], vec![0]);
    let mut case = Case { name, config, views, weighted: false, positive: false, scale: 1, groups };
    change(&mut case);
    case
}

fn cases() -> Vec<Case> {
    use LayerWeights::Rising;
    let objective =
        |name, objective| case(name, |c| c.config = AttackConfig { objective, ..c.config.clone() });
    let total_variation = |c: &mut Case, isotropic, colour_opponents| {
        c.config = AttackConfig { total_variation: 0.5, isotropic, colour_opponents, ..c.config.clone() };
    };
    let statistics = |c: &mut Case, target| {
        (c.config.batch_norm, c.config.batch_norm_target) = (0.01, target);
    };
    let viewed = |c: &mut Case, views: &[View]| {
        c.views = views.to_vec();
        c.positive = views.contains(&View::Support);
        c.config.objective = Objective::L2;
    };
    vec![
        objective("l2", Objective::L2),
        objective("l1", Objective::L1),
        objective("cosine", Objective::Cosine),
        objective("layerwise", Objective::CosineLayerwise),
        objective("top", Objective::CosineTop(SHARE)),
        case("cosine_rising", |c| c.config.layer_weights = Rising),
        case("layerwise_rising", |c| {
            (c.config.objective, c.config.layer_weights) = (Objective::CosineLayerwise, Rising);
        }),
        case("l2_last", |c| (c.config.objective, c.config.layers) = (Objective::L2, Layers::Last(2))),
        case("l1_rising_last", |c| {
            (c.config.objective, c.config.layers) = (Objective::L1, Layers::Last(7));
            c.config.layer_weights = Rising;
        }),
        case("l2_weighted", |c| (c.config.objective, c.weighted) = (Objective::L2, true)),
        case("cosine_weighted_rising", |c| (c.config.layer_weights, c.weighted) = (Rising, true)),
        case("priors", |c| {
            total_variation(c, false, false);
            (c.config.objective_weight, c.config.image_norm) = (0.25, 0.125);
        }),
        case("isotropic", |c| total_variation(c, true, false)),
        case("opponents", |c| total_variation(c, false, true)),
        case("isotropic_opponents", |c| total_variation(c, true, true)),
        case("running", |c| statistics(c, StatisticsTarget::Running)),
        case("batch", |c| statistics(c, StatisticsTarget::Batch)),
        case("clip", |c| viewed(c, &[View::Clip(CLIP)])),
        case("support", |c| viewed(c, &[View::Support])),
        case("soft_sign", |c| c.views = vec![View::SoftSign]),
        case("clip_support", |c| viewed(c, &[View::Clip(CLIP), View::Support])),
        case("coarse", |c| {
            total_variation(c, false, false);
            c.scale = 2;
        }),
        case("consistency", |c| (c.config.group_consistency, c.groups) = (0.01, vec![0, 1, 0])),
    ]
}

/// Weights that come with an observed gradient.
fn of_target(tensors: usize) -> Vec<f64> {
    (0..tensors).map(|i| 0.5 + (7 * i % 11) as f64 / 10.0).collect()
}

/// The magnitude that the largest `SHARE` of all entries reach.
fn threshold(observed: &[Vec<f64>]) -> f64 {
    let mut magnitudes: Vec<f64> = observed.iter().flatten().map(|v| v.abs()).collect();
    magnitudes.sort_by(|a, b| b.total_cmp(a));
    magnitudes[(magnitudes.len() as f64 * SHARE).ceil() as usize - 1]
}

fn inputs(family: &Family, mode: Mode, case: &Case, problem: &Problem) -> Vec<(Var, Vec<f64>)> {
    let run = mode_name(mode);
    let mut inputs = family.weights(&problem.parameters);
    let trials = case.groups.len();
    let small = problem.tape.len_of(problem.variables[0].var) / trials;
    let pictures = match case.scale {
        1 => (0..trials).flat_map(|trial| family.pictures(run, trial, BATCH)).collect(),
        // The script's trials stand before it.
        _ => formula::picture(family.seed(run), 3, small),
    };
    inputs.push((problem.variables[0].var, pictures));
    inputs.push((problem.labels, family.targets(BATCH).repeat(trials)));
    let mut observed = family.observed(&problem.parameters, &format!("{run}.gradient"));
    if case.positive {
        observed.iter_mut().flatten().for_each(|v| *v = v.max(0.0));
    }
    inputs.extend(problem.weights.map(|weights| (weights, of_target(observed.len()))));
    inputs.extend(problem.threshold.map(|least| (least, vec![threshold(&observed)])));
    inputs.extend(problem.observed.iter().copied().zip(observed));
    for (layer, &(mean, variance)) in problem.statistics.iter().enumerate() {
        let values = formula::statistics(layer, problem.tape.len_of(mean));
        inputs.extend([mean, variance].into_iter().zip(values));
    }
    inputs
}

/// The worst relative error of ∂total/∂x.
fn check(family: &Family, mode: Mode, case: &Case, target: &Target) -> f64 {
    let run = mode_name(mode);
    let protocol = Protocol { mode, ..Protocol::default() };
    let scene = Scene {
        model: &family.model,
        protocol: &protocol,
        config: &case.config,
        views: &case.views,
        weighted: case.weighted,
        scaled: false,
    };
    let sizes = Sizes { groups: case.groups.clone(), ..Sizes::one_target(case.groups.len(), BATCH, false) };
    let pixels = Pixels::free(BATCH, family.model.image).at(case.scale);
    let problem = Problem::new(&scene, &pixels, sizes);
    let keep = [problem.total, problem.gradients[0]];
    let mut values = target.evaluate(&problem.tape, &keep, &inputs(family, mode, case, &problem));
    let what = |part: &str| format!("{run}, {}, {part}", case.name);
    let slopes = values.pop().unwrap();
    let slopes: Vec<_> = slopes.chunks(slopes.len() / case.groups.len()).map(<[f64]>::to_vec).collect();
    target.assert_close(&what("total"), &values[0], family.data(&format!("{run}.{}.total", case.name)));
    let table = family.data(&format!("{run}.{}.dx", case.name));
    assert_sketched(target, |trial| what(&format!("∂total/∂x of trial {trial}")), &slopes, table)
}

#[test]
fn every_objective_prior_and_view_equals_that_of_pytorch_in_eval_mode() {
    let family = Family::load("objectives");
    for case in cases() {
        let errors =
            targets().iter().map(|target| format!("{:.1e}", check(&family, Mode::Eval, &case, target)));
        println!("{}: {:?}", case.name, errors.collect::<Vec<_>>());
    }
}

/// On the CPU device only: what train mode does to a kernel, the families show on the GPU device.
#[test]
fn every_objective_prior_and_view_equals_that_of_pytorch_in_train_mode() {
    let family = Family::load("objectives");
    for case in cases() {
        let errors =
            targets()[..2].iter().map(|target| format!("{:.1e}", check(&family, Mode::Train, &case, target)));
        println!("{}: {:?}", case.name, errors.collect::<Vec<_>>());
    }
}
