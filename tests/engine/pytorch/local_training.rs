//! What a client sends after training locally, and what it says about the pictures.

use gia_gpu::{
    attack::{
        config::{AttackConfig, Objective},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    federated::{Local, Protocol, Shares, simulate},
    nn::{Mode, Parameter},
    tape::Tape,
};

use super::{
    family::{Family, mode_name},
    sketched::assert_sketched_to,
};
use crate::devices::{Target, targets};

/// A case of `make_training.py` or `make_optimisers.py`.
struct Training {
    family: Family,
    protocol: Protocol,
    /// Of all clients.
    pictures: usize,
    optimiser: bool,
}

/// What an optimiser that divides by roots, or adds up what was added up, keeps of the devices' own precision.
const ROUNDED: [f64; 2] = [1e-9, 1e-3];

impl Training {
    fn load(name: &str) -> Training {
        let family = Family::load(&format!("training/{name}"));
        let number = |key: &str| family.about[key].parse().ok();
        let said = |key: &str, default: &'static str| family.about.get(key).map_or(default, |text| text);
        let pictures = number("pictures").unwrap() as usize;
        let clients: Shares = family.about["clients"].parse().unwrap();
        let epochs: Option<usize> = family.about.get("epochs").and_then(|text| text.parse().ok());
        let batch = number("batch").map_or(0, |batch: f64| batch as usize);
        let of_epochs = |epochs: usize| epochs * clients.largest(pictures).div_ceil(batch);
        let steps = family.about.get("steps").and_then(|text| text.parse().ok());
        let local = steps.or(epochs.map(of_epochs)).map(|steps: usize| Local {
            steps,
            epochs,
            batch,
            learning_rate: number("rate").unwrap(),
            optimiser: said("optimiser", "sgd").parse().unwrap(),
            weight_decay: said("decay", "0").parse().unwrap(),
        });
        let protocol = Protocol {
            mode: if family.about["mode"] == "train" { Mode::Train } else { Mode::Eval },
            clients,
            local,
            example_clip: number("clip"),
            loss: said("loss", "mean").parse().unwrap(),
        };
        protocol.check(pictures).unwrap();
        let optimiser = family.about.contains_key("optimiser");
        Training { family, protocol, pictures, optimiser }
    }

    fn tolerance(&self, target: &Target) -> f64 {
        let [double, single] = ROUNDED;
        match (self.optimiser, target.device().is_some()) {
            (false, _) => target.tolerance,
            (true, false) => double,
            (true, true) => single,
        }
    }

    fn x(&self) -> Vec<f64> {
        self.family.pictures(mode_name(self.protocol.mode), 0, self.pictures)
    }

    /// The client's side: loss, mean gradient and running statistics; the worst error of the gradient.
    fn check_client(&self, target: &Target) -> f64 {
        let Training { family, protocol, pictures, .. } = self;
        let model = &family.model;
        let mut tape = Tape::new();
        let [c, h, w] = model.image;
        let x = tape.input(&[1, *pictures, c, h, w]);
        let labels = tape.input(&[1, *pictures, model.classes]);
        let training = simulate(&mut tape, model, protocol, x, labels);
        let mut inputs = family.weights(&training.parameters);
        inputs.extend([(x, self.x()), (labels, family.targets(*pictures))]);
        let keep = [&[training.loss], &training.gradient[..], &training.buffers[..]].concat();
        let values = target.evaluate(&tape, &keep, &inputs);

        target.assert_close(&format!("{}, loss", family.name), &values[0], family.data("loss"));
        let tolerance = self.tolerance(target);
        let (gradient, buffers) = values[1..].split_at(training.gradient.len());
        let named = |trainable: bool| {
            let chosen = move |p: &&Parameter| p.declaration.trainable == trainable;
            let names: Vec<_> = training.parameters.iter().filter(chosen).collect();
            move |i: usize| format!("{}, {}", family.name, names[i].declaration.name)
        };
        if !buffers.is_empty() {
            assert_sketched_to(tolerance, target.name, named(false), buffers, family.data("buffers"));
        }
        assert_sketched_to(tolerance, target.name, named(true), gradient, family.data("gradient"))
    }

    /// The eavesdropper's side; the error of ∂total/∂x, through all local steps.
    fn check_eavesdropper(&self, target: &Target) -> f64 {
        let Training { family, protocol, pictures, .. } = self;
        let config = AttackConfig {
            objective: Objective::Cosine,
            total_variation: 0.0,
            ..AttackConfig::preset("ig", family.model.depth()).unwrap()
        };
        let scene = Scene {
            model: &family.model,
            protocol,
            config: &config,
            views: &[],
            weighted: false,
            scaled: false,
        };
        let pixels = Pixels::free(*pictures, family.model.image);
        let problem = Problem::new(&scene, &pixels, Sizes::one_target(1, *pictures, false));
        let mut inputs = family.weights(&problem.parameters);
        inputs.extend([(problem.x, self.x()), (problem.labels, family.targets(*pictures))]);
        let observed = family.observed(&problem.parameters, "gradient");
        inputs.extend(problem.observed.iter().copied().zip(observed));
        let values = target.evaluate(&problem.tape, &[problem.total, problem.gradients[0]], &inputs);
        target.assert_close(&format!("{}, total", family.name), &values[0], family.data("total"));
        let what = |_| format!("{}, ∂total/∂x", family.name);
        assert_sketched_to(self.tolerance(target), target.name, what, &values[1..], family.data("dx"))
    }
}

fn check(name: &str) {
    let training = Training::load(name);
    for target in targets() {
        let client = training.check_client(target);
        let eavesdropper = training.check_eavesdropper(target);
        println!("{name} on {}: gradient {client:.1e} off, ∂total/∂x {eavesdropper:.1e}", target.name);
    }
}

#[test]
fn fedavg_of_a_plain_network() {
    check("lenet5");
    check("lenet5_uneven");
}

#[test]
fn fedavg_with_batch_norm_in_eval_and_in_train_mode() {
    check("convnet");
    check("convnet_train");
}

#[test]
fn the_mean_of_two_clients() {
    check("convnet_clients");
    check("convnet_one_step");
}

#[test]
fn the_mean_of_unequal_clients_is_weighted_by_their_pictures() {
    check("lenet5_shares");
    check("convnet_shares");
    check("convnet_shares_gradient");
}

#[test]
fn momentum_and_weight_decay() {
    check("momentum");
    check("nesterov_train");
    check("weight_decay");
}

/// Through PyTorch's own ε of 1e-8 the pictures are seen by the smallest gradients alone, which single precision rounds:
/// the eavesdropper's side is compared in double precision, the client's on every device.
#[test]
fn adam_with_the_epsilon_of_pytorch() {
    let training = Training::load("adam");
    for target in targets() {
        training.check_client(target);
        if target.device().is_none() {
            training.check_eavesdropper(target);
        }
    }
}

#[test]
fn optimisers_that_divide_by_the_root_of_squares() {
    check("adam_smooth");
    check("adamw");
    check("adamw_relu");
    check("rmsprop");
}

#[test]
fn other_losses() {
    check("sum");
    check("sum_gradient");
    check("smoothing");
    check("weights");
    check("bce");
}

#[test]
fn gradients_clipped_picture_by_picture() {
    check("lenet5_clip");
    check("lenet5_clip_steps");
}
