//! Networks that end in a convolution which is a linear layer.

use std::sync::Arc;

use gia_gpu::{
    attack::exact::{features::LastLayer64, layers::linear_layers},
    device::{Device, cpu::Cpu},
    federated::{Protocol, Request, Victim, client},
    nn::{Mode, graph::Graph},
    plan::Plan,
    random,
    tape::Tape,
};

use super::path;

fn victim(file: &str) -> Victim {
    let graph = Arc::new(Graph::read(&path(file)).unwrap());
    Victim::from_seed(&Request { image: Some(graph.image), graph: Some(graph), ..Request::named(file) }, 0)
        .unwrap()
}

/// Features `(d)` and logits `(K)` of one picture.
fn forward(victim: &Victim, x: &[f32]) -> [Vec<f32>; 2] {
    let [c, h, w] = victim.model.image;
    let mut tape = Tape::new();
    let picture = tape.input(&[1, 1, c, h, w]);
    let pass = victim.model.apply(&mut tape, picture, Mode::Eval);
    let read = [pass.features, pass.logits];
    let mut executable = Cpu::<f32>::new().compile(&Plan::new(&tape, &read, &[])).unwrap();
    executable.write(picture, x).unwrap();
    for (parameter, values) in pass.parameters.iter().zip(&victim.tensors) {
        executable.write(parameter.stored, values).unwrap();
    }
    executable.run(1).unwrap();
    read.map(|var| executable.read(var).unwrap())
}

fn near(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0f32, |m, v| m.max(v.abs()));
    let is_near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4 * largest);
    assert!(is_near, "{found:?}, expected {expected:?}");
}

#[test]
fn its_logits_are_linear_in_its_features_and_so_is_what_its_gradient_tells() {
    for (file, width) in [("averaged.pt2", 8), ("averaged.onnx", 8), ("whole.pt2", 160), ("whole.onnx", 160)]
    {
        let victim = victim(file);
        let image: usize = victim.model.image.iter().product();
        let x = random::normal(&mut random::generator(3, "pictures"), image);
        let [features, logits] = forward(&victim, &x);
        assert_eq!(features.len(), width, "{file}");

        let (weight, bias) = victim.last_layer();
        let row = |(k, row): (usize, &[f32])| -> f32 {
            row.iter().zip(&features).map(|(w, f)| w * f).sum::<f32>() + bias.map_or(0.0, |bias| bias[k])
        };
        near(&weight.chunks(width).enumerate().map(row).collect::<Vec<_>>(), &logits);
        let layers = linear_layers(&victim);
        assert_eq!((layers[0].name.as_str(), layers[0].shape), ("head", [10, width]), "{file}");

        let update =
            client::update(&Cpu::<f32>::new(), &victim, &Protocol::default(), &x, &[4]).unwrap().gradient;
        let found = LastLayer64::features_of(&victim, &update, &[4]);
        assert_eq!(found.is_some(), bias.is_some(), "{file}: without a bias there is no scale");
        if let Some(found) = found {
            let found: Vec<f32> = found.features.values.iter().map(|&v| v as f32).collect();
            near(&found, &features);
        }
    }
}
