//! Victims that the registry does not know: graphs with named parameters, as what reads them from files will make them.

use gia_gpu::{
    attack::{
        GO_ON, Hooks,
        config::AttackConfig,
        invert::{LabelSource, Reconstruction, Setting, Target, invert},
        labels::Method,
        threat::ThreatModel,
    },
    data::Normalisation,
    device::cpu::Cpu,
    federated::{Protocol, Request, Victim, VictimError},
    nn::{
        Architecture, ArchitectureError, Init, Model, Network, Options,
        options::{ACTIVATION, Activation},
    },
    tape::Var,
};

use super::{config, target_of};

const IMAGE: [usize; 3] = [3, 8, 8];
const CLASSES: usize = 5;

/// Flatten, linear, tanh, linear: an `mlp` by other names.
struct Plain;

impl Architecture for Plain {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let x = net.flatten(x);
        let y = net.linear("encoder.in", x, 16, None);
        let y = net.activate(y);
        net.linear("decoder.out", y, classes, None)
    }

    fn options(&self) -> &'static [&'static str] {
        &[ACTIVATION]
    }

    fn activation(&self) -> Activation {
        Activation::Tanh
    }
}

/// Two branches of the picture, multiplied, and a shift by a parameter without a layer: no architecture of the registry.
struct Gated;

impl Architecture for Gated {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let x = net.flatten(x);
        let shift = net.parameter("shift", &[1, 192], Init::Normal(0.1));
        let x = net.tape.add(x, shift);
        let value = net.linear("value", x, 48, None);
        let gate = net.linear("gate", x, 48, None);
        let gate = net.tape.sigmoid(gate);
        let y = net.tape.mul(value, gate);
        net.linear("head", y, classes, None)
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }
}

fn of(architecture: impl Architecture + 'static, name: &str) -> Result<Model, ArchitectureError> {
    Model::of(Box::new(architecture), name, &Options::default(), Some(IMAGE), CLASSES)
}

fn attack(victim: &Victim, targets: &[Target], config: &AttackConfig, batch: usize) -> Vec<Reconstruction> {
    let setting = Setting {
        generator: None,
        first: 0,
        victim,
        protocol: &Protocol::default(),
        views: &[],
        batch,
        normalisation: &Normalisation::default(),
        config,
        threat: &ThreatModel::named("server").unwrap(),
        restarts: 2,
        seed: 3,
    };
    let hooks = &mut Hooks { progress: &mut |_, _, _| {}, stop: GO_ON, checkpoints: None };
    invert(&Cpu::<f32>::new(), &setting, targets, hooks).unwrap()
}

fn images(count: usize) -> Vec<f32> {
    let mut generator = gia_gpu::random::generator(9, "pictures");
    gia_gpu::random::normal(&mut generator, count * IMAGE.iter().product::<usize>())
}

#[test]
fn a_graph_is_attacked_as_the_registry_s_with_the_same_numbers() {
    let options =
        Options { hidden: Some(vec![16]), activation: Some(Activation::Tanh), ..Default::default() };
    let (image, classes) = (Some(IMAGE), Some(CLASSES));
    let named = Victim::from_seed(&Request { options, image, classes, ..Request::named("mlp") }, 8).unwrap();
    let own = Victim::new(of(Plain, "mine.pt2").unwrap(), named.tensors.clone(), "mine.pt2".into()).unwrap();
    let names: Vec<String> = own.gradient_specs().into_iter().map(|s| s.name).collect();
    assert_eq!(names, ["encoder.in.weight", "encoder.in.bias", "decoder.out.weight", "decoder.out.bias"]);
    assert_eq!(own.model.describe(), "mine.pt2");
    let found = [&named, &own].map(|victim| {
        let target = target_of(victim, &images(2), &[4, 1]);
        let found = attack(victim, std::slice::from_ref(&target), &config(20), 2).swap_remove(0);
        (target.gradient, found.labels.clone(), found.trials)
    });
    assert!(found[0] == found[1]);
}

#[test]
fn a_victim_outside_the_registry_tells_its_labels_and_its_picture() {
    let victim = Victim::initialised(of(Gated, "gated").unwrap(), 2).unwrap();
    let original: Vec<f32> = images(1).iter().map(|v| 0.5 * v).collect();
    let target = target_of(&victim, &original, &[3]);
    let config = AttackConfig { total_variation: 0.0, clamp: false, ..config(400) };
    let found = attack(&victim, &[target], &config, 1).swap_remove(0);
    assert_eq!((found.labels.clone(), found.label_source), (vec![3], LabelSource::Restored(Method::Ilrg)));
    let best = found.best();
    assert!(best.objective < 0.02 * best.history[0], "{} from {}", best.objective, best.history[0]);
    let distance = |a: &[f32]| a.iter().zip(&original).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    let flat = distance(&vec![0.0; original.len()]);
    assert!(distance(&best.images) < 0.5 * flat, "{} of {flat}", distance(&best.images));
}

/// A graph that no victim can be, by its number.
struct Odd(usize);

impl Architecture for Odd {
    fn forward(&self, net: &mut Network, x: Var, classes: usize) -> Var {
        let mut x = net.flatten(x);
        match self.0 {
            0 => x = net.linear("twice", x, 192, None),
            1 => {
                net.buffer("table", &[4], Init::Constant(1.0));
            }
            2 => {
                net.parameter("wild", &[4], Init::Normal(f32::NAN));
            }
            _ => {}
        }
        match self.0 {
            0 => net.linear("twice", x, classes, None),
            3 => net.linear("out", x, classes + 1, None),
            4 => net.tape.narrow(x, 2, 0, classes),
            5 => {
                let y = net.linear("out", x, classes + 1, None);
                net.tape.narrow(y, 2, 0, classes)
            }
            _ => net.linear("out", x, classes, None),
        }
    }

    fn options(&self) -> &'static [&'static str] {
        &[]
    }
}

#[test]
fn graphs_that_no_victim_can_be_are_refused() {
    for (number, words) in [
        "two of its tensors are called 'twice.bias'",
        "1 buffers and 0 batch norms",
        "'wild' starts from Normal(NaN)",
        "[1, 1, 6], expected [1, 1, 5]",
        "does not end in a linear layer",
        "'out.weight', has 6 outputs, expected 5",
    ]
    .iter()
    .enumerate()
    {
        let error = of(Odd(number), "odd").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("architecture 'odd'") && error.contains(words), "{number}: '{error}'");
    }
    let options = Options { activation: Some(Activation::Silu), ..Options::default() };
    let error = Model::of(Box::new(Odd(9)), "odd", &options, Some(IMAGE), CLASSES).err().unwrap();
    assert!(error.to_string().contains("--activation"), "{error}");
    assert!(Model::of(Box::new(Plain), "plain", &options, Some(IMAGE), CLASSES).is_ok());

    let tensors = Victim::initialised(of(Plain, "plain").unwrap(), 1).unwrap().tensors;
    let new = |tensors: Vec<Vec<f32>>| Victim::new(of(Plain, "plain").unwrap(), tensors, "here".into());
    assert!(new(tensors.clone()).is_ok());
    let few = new(tensors[1..].to_vec()).err().unwrap();
    assert!(matches!(few, VictimError::Tensors { expected: 4, found: 3, .. }), "{few}");
    let mut short = tensors;
    short[2].pop();
    let short = new(short).err().unwrap().to_string();
    assert!(short.contains("'decoder.out.weight': expected 80, found 79"), "{short}");
}
