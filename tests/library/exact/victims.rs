//! SPEAR on whole victims, whose gradients the engine computes in f32.

use gia_gpu::{
    attack::exact::batch::{ExactBatch, Spear, restore_batch},
    data::{Normalisation, Picture, samples},
    device::cpu::Cpu,
    federated::{Protocol, Request, Victim, client},
    nn::Options,
};

pub(crate) fn mlp(hidden: &[usize]) -> Victim {
    let options = Options { hidden: Some(hidden.to_vec()), ..Options::default() };
    Victim::from_seed(&Request { options, ..Request::named("mlp") }, 1).unwrap()
}

/// Embedded pictures and labels, and the gradient of a victim over them.
pub(crate) fn gradient_of(victim: &Victim, which: &[usize]) -> (Vec<f32>, Vec<usize>, Vec<Vec<f32>>) {
    let samples = samples();
    let pictures: Vec<Picture> =
        which.iter().map(|&i| samples.picture(i).unwrap().fitted(victim.image_shape()).unwrap()).collect();
    let labels: Vec<usize> = which.iter().map(|&i| samples.label(i).unwrap()).collect();
    let images = Normalisation::default().normalise(&pictures).unwrap();
    let device = Cpu::<f32>::new();
    let update = client::update(&device, victim, &Protocol::default(), &images, &labels).unwrap();
    (images, labels, update.gradient)
}

/// Largest distance of any restored input from the nearest true one, in shares of its length.
pub(crate) fn worst(found: &ExactBatch, truth: &[f32]) -> f64 {
    let n = found.inputs.columns;
    let of = |row: &[f64]| {
        let distance = |t: &[f32]| {
            let square = |d: f64| d * d;
            let apart: f64 = row.iter().zip(t).map(|(r, &t)| square(r - f64::from(t))).sum();
            (apart / t.iter().map(|&t| square(f64::from(t))).sum::<f64>()).sqrt()
        };
        truth.chunks(n).map(distance).fold(f64::INFINITY, f64::min)
    };
    (0..found.inputs.rows).map(|i| of(found.inputs.row(i))).fold(0.0, f64::max)
}

#[test]
fn pictures_and_labels_of_a_first_layer_are_exact() {
    let victim = mlp(&[150, 60]);
    for which in [vec![3], vec![0, 9], vec![0, 1, 2, 3, 10, 21]] {
        let (images, mut labels, gradient) = gradient_of(&victim, &which);
        labels.sort_unstable();
        let found =
            restore_batch(&victim, &gradient, Some(which.len()), &Spear::default(), 3, &|| false).unwrap();
        assert_eq!(found.labels, labels);
        assert!(found.record.pictures && found.record.repeated == 0);
        assert!(found.record.head_residual < 1e-5, "{:?}", found.record);
        let error = worst(&found, &images);
        assert!(error < 1e-5, "batch of {}: {error:e}", which.len());
        // The same without being told the batch size.
        let alone = restore_batch(&victim, &gradient, None, &Spear::default(), 3, &|| false).unwrap();
        assert_eq!((alone.labels, alone.record.rank), (labels, which.len()));
    }
}

#[test]
fn a_seed_gives_the_same_bits() {
    let victim = mlp(&[100]);
    let (_, _, gradient) = gradient_of(&victim, &[4, 8, 15, 16]);
    let inputs = |seed| {
        let found = restore_batch(&victim, &gradient, Some(4), &Spear::default(), seed, &|| false).unwrap();
        found.inputs.values.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(3), inputs(3));
}

#[test]
fn a_hidden_layer_gives_its_inputs() {
    let victim = Victim::from_seed(&Request::named("lenet5"), 1).unwrap();
    let (images, mut labels, gradient) = gradient_of(&victim, &[1, 2, 3, 5]);
    labels.sort_unstable();
    let found = restore_batch(&victim, &gradient, Some(4), &Spear::default(), 3, &|| false).unwrap();
    assert_eq!((found.labels.clone(), found.record.pictures), (labels, false));
    let device = Cpu::<f32>::new();
    let mut reader = gia_gpu::attack::exact::inputs::LayerInputs::new(&device, &victim, 0, 4).unwrap();
    let features = reader.of(&images).unwrap().concat();
    let error = worst(&found, &features);
    assert!(error < 1e-4, "{error:e}");
}

#[test]
fn a_repeated_picture_lowers_the_rank_and_the_rest_is_restored() {
    let victim = mlp(&[150]);
    for which in [vec![0, 5, 5, 7], vec![2, 2, 2]] {
        let (images, mut labels, gradient) = gradient_of(&victim, &which);
        labels.sort_unstable();
        let found =
            restore_batch(&victim, &gradient, Some(which.len()), &Spear::default(), 3, &|| false).unwrap();
        assert_eq!(found.labels, labels);
        assert_eq!(found.record.repeated, which.len() - found.record.rank);
        assert!(found.record.repeated > 0 && found.inputs.rows == which.len());
        assert!(found.record.head_residual < 1e-5, "{:?}", found.record);
        assert!(worst(&found, &images) < 1e-5);
    }
}
