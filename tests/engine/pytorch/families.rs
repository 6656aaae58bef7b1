//! Every family of victims, in eval and in train mode: logits, loss, parameter gradients and running
//! statistics of the client's step, and the double backward pass of two matching losses.

use gia_gpu::{
    attack::{
        config::{AttackConfig, Objective},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    federated::{Protocol, simulate},
    nn::Mode,
    tape::Tape,
};

use super::{
    family::{BATCH, Family, mode_name},
    sketched::assert_sketched,
};
use crate::devices::{Target, targets};

/// How far a device goes: `None` not at all, else through the client's step and the second order of these.
pub(crate) type Depth = Option<&'static [Objective]>;

pub(crate) const BOTH: Depth = Some(&[Objective::L2, Objective::Cosine]);
const L2: Depth = Some(&[Objective::L2]);
const COSINE: Depth = Some(&[Objective::Cosine]);
const FIRST: Depth = Some(&[]);

pub(crate) const ALL: [Depth; 3] = [BOTH; 3];

// What is too slow for both objectives on every device. In `f64` every family has its second order; the other
// devices take turns, for what differs between two ResNets is how often the same kernels run: lavapipe takes
// ten seconds for a double backward pass of ResNet-18. Nor is `f32` asked for what takes it close to its
// tolerance, where PyTorch's own `f32` is, too.
const RESNET18_CIFAR_EVAL: [Depth; 3] = [BOTH, BOTH, FIRST];
const RESNET18_CIFAR_TRAIN: [Depth; 3] = [BOTH, BOTH, COSINE];
const RESNET18_GROUP: [Depth; 3] = [BOTH, COSINE, FIRST];
const RESNET18_EVAL: [Depth; 3] = [BOTH, FIRST, FIRST];
const RESNET18_TRAIN: [Depth; 3] = [BOTH, COSINE, None];
const RESNET34_EVAL: [Depth; 3] = [COSINE, FIRST, None];
const RESNET34_TRAIN: [Depth; 3] = [COSINE, None, None];
const RESNET50_EVAL: [Depth; 3] = [BOTH, COSINE, FIRST];
const RESNET50_TRAIN: [Depth; 3] = [BOTH, None, FIRST];
/// The 400 MB of their first linear layer make the VGGs slow, and are more than lavapipe binds.
const VGG11_EVAL: [Depth; 3] = [L2, None, None];
const VGG11_BN_EVAL: [Depth; 3] = [None, FIRST, None];
const VGG11_BN_TRAIN: [Depth; 3] = [COSINE, None, None];

/// `depths`: in `f64` and in `f32` on the CPU device, and on the GPU device.
pub(crate) fn check(name: &str, mode: Mode, depths: [Depth; 3]) {
    check_family(&Family::load(&format!("families/{name}")), mode, depths);
}

/// The same of a network that is there.
pub(crate) fn check_family(family: &Family, mode: Mode, depths: [Depth; 3]) {
    let name = &family.name;
    for (target, depth) in targets().iter().zip(depths) {
        let Some(objectives) = depth else { continue };
        let first = check_step(family, mode, target);
        let second = check_matching(family, mode, target, objectives);
        println!("{name} {mode:?} on {}: gradient {first:.1e} off, ∂total/∂x {second:.1e}", target.name);
    }
}

/// The client's step; the worst relative error of its gradient.
fn check_step(family: &Family, mode: Mode, target: &Target) -> f64 {
    let run = mode_name(mode);
    let model = &family.model;
    let protocol = Protocol { mode, ..Protocol::default() };
    let mut tape = Tape::new();
    let [c, h, w] = model.image;
    let x = tape.input(&[1, BATCH, c, h, w]);
    let labels = tape.input(&[1, BATCH, model.classes]);
    let step = simulate(&mut tape, model, &protocol, x, labels);
    let mut inputs = family.weights(&step.parameters);
    inputs.push((x, family.pictures(run, 0, BATCH)));
    inputs.push((labels, family.targets(BATCH)));
    let buffers = if mode == Mode::Train { &step.buffers[..] } else { &[] };
    let keep = [&[step.logits, step.loss], &step.gradient[..], buffers].concat();
    let values = target.evaluate(&tape, &keep, &inputs);

    let what = |part: &str| format!("{}, {run}, {part}", family.name);
    target.assert_close(&what("logits"), &values[0], family.data(&format!("{run}.logits")));
    target.assert_close(&what("loss"), &values[1], family.data(&format!("{run}.loss")));
    let (gradient, buffers) = values[2..].split_at(step.gradient.len());
    let names = |trainable: bool| -> Vec<String> {
        let all = step.parameters.iter().map(|p| &p.declaration);
        all.filter(|d| d.trainable == trainable).map(|d| what(&d.name)).collect()
    };
    if mode == Mode::Train {
        let names = names(false);
        assert_sketched(target, |i| names[i].clone(), buffers, family.data("train.buffers"));
    }
    let names = names(true);
    let table = family.data(&format!("{run}.gradient"));
    assert_sketched(target, |i| names[i].clone(), gradient, table)
}

/// Matching losses and their double backward pass; the worst relative error of ∂total/∂x.
fn check_matching(family: &Family, mode: Mode, target: &Target, objectives: &[Objective]) -> f64 {
    let run = mode_name(mode);
    let mut worst: f64 = 0.0;
    for &objective in objectives {
        let name = if objective == Objective::L2 { "l2" } else { "cosine" };
        let config = AttackConfig {
            objective,
            total_variation: 0.0,
            ..AttackConfig::preset("ig", family.model.depth()).unwrap()
        };
        let protocol = Protocol { mode, ..Protocol::default() };
        let scene = Scene {
            model: &family.model,
            protocol: &protocol,
            config: &config,
            views: &[],
            weighted: false,
            scaled: false,
        };
        let pixels = Pixels::free(BATCH, family.model.image);
        let problem = Problem::new(&scene, &pixels, Sizes::one_target(1, BATCH, false));
        let mut inputs = family.weights(&problem.parameters);
        inputs.push((problem.x, family.pictures(run, 0, BATCH)));
        inputs.push((problem.labels, family.targets(BATCH)));
        let observed = family.observed(&problem.parameters, &format!("{run}.gradient"));
        inputs.extend(problem.observed.iter().copied().zip(observed));
        let keep = [problem.total, problem.norm_ratio, problem.gradients[0]];
        let values = target.evaluate(&problem.tape, &keep, &inputs);
        let what = |part: &str| format!("{}, {run}, {name}, {part}", family.name);
        let expected = family.data(&format!("{run}.{name}.total"));
        target.assert_close(&what("total"), &values[0], expected);
        target.assert_close(&what("norm ratio"), &values[1], family.data(&format!("{run}.ratio")));
        let table = family.data(&format!("{run}.{name}.dx"));
        let error = assert_sketched(target, |_| what("∂total/∂x"), &values[2..], table);
        worst = worst.max(error);
    }
    worst
}

#[test]
fn plain_networks_with_every_activation() {
    for name in ["lenet_zhu", "lenet5", "mlp"] {
        check(name, Mode::Eval, ALL);
        for activation in ["tanh", "silu", "leaky"] {
            check(&format!("{name}_{activation}"), Mode::Eval, ALL);
        }
    }
    check("lenet_zhu_relu", Mode::Eval, ALL);
    check("lenet5_sigmoid", Mode::Eval, ALL);
    check("mlp_sigmoid", Mode::Eval, ALL);
    check("mlp_deep", Mode::Eval, ALL);
}

#[test]
fn convnets() {
    check("convnet", Mode::Eval, ALL);
    check("convnet", Mode::Train, ALL);
    check("convnet_group", Mode::Eval, ALL);
}

#[test]
fn resnets_for_cifar() {
    for name in ["resnet20", "resnet20_silu", "resnet32"] {
        check(name, Mode::Eval, ALL);
        check(name, Mode::Train, ALL);
    }
    check("resnet20_group", Mode::Eval, ALL);
    check("resnet9", Mode::Eval, ALL);
    check("resnet9", Mode::Train, ALL);
    check("resnet9_group", Mode::Eval, ALL);
}

#[test]
fn resnets_of_torchvision() {
    check("resnet18_cifar", Mode::Eval, RESNET18_CIFAR_EVAL);
    check("resnet18_cifar", Mode::Train, RESNET18_CIFAR_TRAIN);
    check("resnet18_group", Mode::Eval, RESNET18_GROUP);
    check("resnet18", Mode::Eval, RESNET18_EVAL);
    check("resnet18", Mode::Train, RESNET18_TRAIN);
    check("resnet34", Mode::Eval, RESNET34_EVAL);
    check("resnet34", Mode::Train, RESNET34_TRAIN);
    check("resnet50", Mode::Eval, RESNET50_EVAL);
    // Smooth: in train mode f32 is too rough to decide every one of this many ReLUs.
    check("resnet50_silu", Mode::Train, RESNET50_TRAIN);
}

#[test]
fn vggs_of_torchvision() {
    check("vgg11", Mode::Eval, VGG11_EVAL);
    check("vgg11_bn", Mode::Eval, VGG11_BN_EVAL);
    check("vgg11_bn", Mode::Train, VGG11_BN_TRAIN);
}
