//! Clients, models and formulas with whatever values they are given: errors in words, and no panic.

use gia_gpu::{
    attack::labels::{LastLayer, Method, restore},
    device::cpu::Cpu,
    federated::{
        Client, Kind, Request, Victim,
        defence::{Defence, Defended, accountant, adapt},
        observed,
    },
    nn::{
        Model, Options,
        options::{Activation, Norm, Stem},
    },
    random,
};
use rand::RngExt;

use super::{draw::Draw, no_panic, tiny};

const DRAWS: usize = 1_200;

/// What a client computes, with whatever it is given.
fn clients(draw: &mut Draw, victim: &Victim) {
    let device = Cpu::<f32>::new();
    let batch = draw.count(&[1, 2]);
    let protocol = draw.protocol(batch);
    let defences: Vec<Defence> = (0..draw.below(3)).map(|_| draw.defence()).collect();
    let pixels = victim.image_shape().iter().product::<usize>();
    let images = vec![draw.mostly(&[0.5], &[f32::NAN]); pixels * draw.mostly(&[batch.min(9)], &[0, 3])];
    let labels = vec![draw.mostly(&[0, 1], &[9, usize::MAX]); draw.mostly(&[batch.min(9)], &[0, 3])];
    let what = || format!("{protocol:?}, {defences:?}, batch {batch}, {} images, {labels:?}", images.len());
    no_panic(&what, || {
        let _ = protocol.check(batch);
        let _ = (protocol.scale(batch), protocol.steps(), protocol.batches(batch.min(9)).len());
        if let Ok(mut client) = Client::new(&device, victim, &protocol, batch) {
            let _ = client.update(victim, &images, &labels);
        }
        let Ok(mut defended) = Defended::new(&device, victim, &protocol, &defences, batch) else { return };
        if let Ok(update) = defended.update(&images, &labels, 1, 0) {
            let _ = adapt::weights(&defences, &protocol, batch, &update.gradient);
            let sent = observed::sent(&protocol, batch, update.gradient);
            for kind in [Kind::Gradient, Kind::Update, Kind::Model] {
                let _ = observed::mean_gradient(victim, &protocol, kind, batch, sent.clone());
            }
        }
        let _ = (adapt::views(&defences, &protocol, batch), adapt::protocol(&defences, &protocol));
    });
}

/// Models by names and options that may not go together.
fn models(draw: &mut Draw) {
    let name = draw.of(&["mlp", "lenet5", "lenet-zhu", "convnet1", "convnet0", "resnet20", "", "mlp2"]);
    let (width, groups) = (draw.count(&[3, 8]), draw.count(&[1, 4]));
    let options = Options {
        stem: draw.of(&[None, None, Some(Stem::Cifar)]),
        hidden: draw.of(&[None, None, Some(vec![width]), Some(vec![])]),
        activation: draw.of(&[None, None, Some(Activation::Silu)]),
        norm: draw.of(&[None, None, Some(Norm::Batch), Some(Norm::Group(groups))]),
    };
    let mut side = || draw.mostly(&[1, 7, 32], &[0, 4_097, usize::MAX]);
    let image = Some([side(), side(), side()]);
    let classes = Some(draw.count(&[2, 10]));
    let request = Request { name: name.into(), options, image, classes, ..Request::default() };
    let batch = draw.mostly(&[1, 2], &[0]);
    no_panic(&|| format!("{request:?}, batch {batch}"), || {
        let model = Model::new(name, &request.options, request.image, request.classes.unwrap_or(0));
        if let Ok(model) = model {
            let _ = (model.check_train(batch), model.statistics_counts(batch), model.declarations());
        }
        // A layer of a million classes has no place here.
        if request.classes.is_none_or(|classes| classes <= 10 || classes > 1 << 20) {
            let _ = Victim::from_seed(&request, 1);
        }
        let _ = Model::contrastive(name, &request.options, request.image, width.min(1 << 30), 2);
    });
}

/// Labels from gradients of any size, accounts of any noise, any schedule of λ.
fn formulas(draw: &mut Draw) {
    let (classes, features) = (draw.mostly(&[2, 3, 7], &[0, 1]), draw.mostly(&[1, 4], &[0]));
    let len = classes * features + draw.mostly(&[0], &[1]);
    let mut values = |len: usize| -> Vec<f32> {
        let scale = draw.mostly(&[1.0, 1e-6], &[0.0, f32::NAN, f32::MAX]);
        (0..len).map(|_| scale * (draw.0.random::<f32>() - 0.5)).collect()
    };
    let (weight, own, bias) = (values(len), values(len), values(classes));
    let batch = draw.count(&[1, 2, 8, 300]);
    let guidance = draw.guidance();
    let (i, of) = (draw.count(&[0, 1, 5]), draw.mostly(&[1, 5, 10], &[0]));
    let noise = draw.number(&[0.5, 2.0]);
    no_panic(
        &|| format!("{classes} classes, {weight:?}, {bias:?}, batch {batch}, {guidance:?}, {noise}"),
        || {
            for bias in [None, Some(&bias[..])] {
                let Ok(layer) = LastLayer::new(classes, &weight, bias) else { continue };
                let Ok(layer) = layer.with_weights(&own, bias) else { continue };
                for method in Method::ANY_BATCH {
                    if let Ok(restored) = restore(method, &layer, batch) {
                        assert_eq!(restored.labels().len(), batch, "{method}");
                    }
                }
            }
            let _ = (guidance.check(), guidance.at(i, of), guidance.end(of));
            let epsilon = accountant::epsilon(noise);
            assert!(epsilon >= 0.0, "ε {epsilon} of noise {noise}");
        },
    );
}

#[test]
fn clients_models_and_formulas_take_any_value() {
    let mut draw = Draw(random::generator(2, "values"));
    let victim = tiny();
    for number in 0..DRAWS {
        match number % 6 {
            0 | 1 => clients(&mut draw, &victim),
            2 => models(&mut draw),
            _ => formulas(&mut draw),
        }
    }
}
