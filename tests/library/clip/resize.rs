//! Preprocessing against Pillow and torchvision.

use gia_gpu::{
    clip::{
        preprocess,
        resize::{Interpolation, matrix},
    },
    tape::Tape,
};

use crate::{common::fixture, devices::targets};

const LEVELS: f64 = 255.0;

/// Pillow's pictures have eight bits: so do ours, for the comparison. Before that they are between its steps, which
/// it takes after each axis.
#[test]
fn resize_and_centre_crop_are_pillows_to_one_step() {
    let fixture = fixture("clip/resize");
    let names: Vec<&str> = fixture.keys().filter_map(|name| name.strip_suffix(" from")).collect();
    assert_eq!(names.len(), 10);
    for name in names {
        let (from, to) = (&fixture[&format!("{name} from")], &fixture[&format!("{name} to")]);
        for target in targets() {
            let mut tape = Tape::new();
            let x = tape.input(&[&[1], from.shape.as_slice()].concat());
            let y = preprocess::resize(&mut tape, x, to.shape[1]);
            let found = target.evaluate(&tape, &[y], &[(x, from.data.clone())]).remove(0);
            assert_eq!(found.len(), to.data.len(), "{name}");
            let pairs = || found.iter().zip(&to.data).map(|(f, e)| (f * LEVELS, (e * LEVELS).round()));
            let worst = pairs().map(|(f, e)| (f.round() - e).abs()).fold(0.0, f64::max);
            let mean = (pairs().map(|(f, e)| (f - e).powi(2)).sum::<f64>() / found.len() as f64).sqrt();
            assert!(worst <= 1.0 && mean < 0.5, "{name} on {}: {worst} steps, mean {mean:.2}", target.name);
        }
    }
}

#[test]
fn a_flat_picture_stays_flat_however_it_is_resized() {
    for (from, to) in [(2, 224), (7, 5), (1000, 3), (224, 224)] {
        for kernel in [Interpolation::Bicubic, Interpolation::Bilinear] {
            for row in matrix(kernel, from, to, 0..to).chunks(from) {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}

/// Its middle alone is computed, and its gradient is what a difference says.
#[test]
fn preprocessing_is_differentiable_from_any_size() {
    let mut tape = Tape::new();
    let shape = [2, 3, 9, 41];
    let x = tape.input(&shape);
    let y = preprocess::preprocess(&mut tape, x, 6, &preprocess::openai());
    let square = tape.mul(y, y);
    let sum = tape.sum(square, &[0, 1, 2, 3]);
    let gradient = tape.grad(sum, &[x])[0];
    let f64_target = &targets()[0];
    let len: usize = shape.iter().product();
    let base: Vec<f64> = (0..len).map(|i| 0.5 + 0.3 * ((i * i) as f64).sin()).collect();
    let direction: Vec<f64> = (0..len).map(|i| ((3 * i + 1) as f64).cos()).collect();
    let at = |step: f64| {
        let moved = base.iter().zip(&direction).map(|(b, d)| b + step * d).collect();
        f64_target.evaluate(&tape, &[sum, gradient], &[(x, moved)])
    };
    let slope: f64 = at(0.0)[1].iter().zip(&direction).map(|(g, d)| g * d).sum();
    let difference = (at(1e-6)[0][0] - at(-1e-6)[0][0]) / 2e-6;
    assert!((slope - difference).abs() < 1e-6 * slope.abs(), "{slope} and {difference}");
}
