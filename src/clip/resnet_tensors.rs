//! A ResNet's tensors on their way from OpenCLIP's files: batch norms folded into convolutions, shapes checked.

use super::{
    ClipError,
    config::{Choices, Heads},
    resnet::{REDUCTION, ResNet},
    taken::{Tensors, finite, transposed},
};
use crate::tensor_file::{Tensor, TensorFile};

const EPSILON: f64 = 1e-5;

/// One convolution and what it stands for.
struct Convolution {
    conv: String,
    norm: String,
    kernel: usize,
}

impl ResNet {
    fn stages(file: &TensorFile) -> [usize; 4] {
        std::array::from_fn(|stage| {
            let has = |block: usize| {
                file.tensors.contains_key(&format!("visual.layer{}.{block}.conv1.weight", stage + 1))
            };
            (0..).take_while(|&block| has(block)).count().max(1)
        })
    }

    fn convolutions(stages: [usize; 4]) -> Vec<Convolution> {
        let one = |conv: String, norm: String, kernel| Convolution { conv, norm, kernel };
        let mut all: Vec<Convolution> =
            (1..=3).map(|i| one(format!("conv{i}"), format!("bn{i}"), 3)).collect();
        for (stage, blocks) in stages.into_iter().enumerate() {
            for block in 0..blocks {
                let name = format!("layer{}.{block}", stage + 1);
                for (i, kernel) in [(1, 1), (2, 3), (3, 1)] {
                    all.push(one(format!("{name}.conv{i}"), format!("{name}.bn{i}"), kernel));
                }
                if block == 0 {
                    all.push(one(format!("{name}.downsample.0"), format!("{name}.downsample.1"), 1));
                }
            }
        }
        all
    }

    /// All tensors of a file's tower.
    pub fn names(file: &TensorFile) -> Vec<String> {
        let norm = ["weight", "bias", "running_mean", "running_var"];
        let mut names = vec![];
        for Convolution { conv, norm: own, .. } in Self::convolutions(Self::stages(file)) {
            names.push(format!("visual.{conv}.weight"));
            names.extend(norm.map(|last| format!("visual.{own}.{last}")));
        }
        names.push("visual.attnpool.positional_embedding".into());
        for part in ["q_proj", "k_proj", "v_proj", "c_proj"] {
            names.extend(["weight", "bias"].map(|last| format!("visual.attnpool.{part}.{last}")));
        }
        names
    }

    /// Takes the tower's tensors, all of which are there, out of the file.
    pub fn take(file: &mut TensorFile, choices: &Choices) -> Result<ResNet, ClipError> {
        let stages = Self::stages(file);
        let mut tensors = Tensors::new();
        for convolution in Self::convolutions(stages) {
            let [weight, bias] = folded(file, &convolution)?;
            tensors.insert(format!("{}.weight", convolution.conv), weight);
            tensors.insert(format!("{}.bias", convolution.conv), bias);
        }
        for (theirs, ours) in [("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("c_proj", "out")]
        {
            let name = format!("visual.attnpool.{theirs}.weight");
            let found = finite(file, &name)?;
            let matrix = transposed(found).ok_or_else(|| wrong(file, &name, "two axes"))?;
            tensors.insert(format!("{ours}.weight"), matrix);
            let name = format!("visual.attnpool.{theirs}.bias");
            tensors.insert(format!("{ours}.bias"), finite(file, &name)?.clone());
        }
        let name = "visual.attnpool.positional_embedding";
        tensors.insert("position".into(), finite(file, name)?.clone());
        let positions = tensors["position"].shape.clone();
        let &[rows, features] = positions.as_slice() else { return Err(wrong(file, name, "two axes")) };
        let side = rows.saturating_sub(1).isqrt();
        if side == 0 || side * side + 1 != rows {
            return Err(wrong(file, name, "one position more than a square number"));
        }
        let heads = match choices.heads.unwrap_or(Heads::OfWidth(64)) {
            Heads::Count(heads) => heads,
            Heads::OfWidth(width) => features / width,
        };
        if heads == 0 || !features.is_multiple_of(heads) {
            let expected = format!("heads that divide the width of {features}, found {heads} heads");
            return Err(wrong(file, name, &expected));
        }
        let image_size = choices.image_size.unwrap_or(side * REDUCTION);
        let tower = ResNet { stages, heads, image_size, tensors };
        tower.check(file, features)?;
        for name in Self::names(file) {
            file.tensors.remove(&name);
        }
        Ok(tower)
    }

    /// The first tensor whose shape does not go with the others'.
    fn check(&self, file: &TensorFile, features: usize) -> Result<(), ClipError> {
        let outputs = |name: &str| self.tensors[&format!("{name}.weight")].shape[0];
        let mut channels = 3;
        let expect =
            |conv: &str, shape: [usize; 4]| match self.tensors[&format!("{conv}.weight")].shape == shape {
                true => Ok(shape[0]),
                false => Err(wrong(file, &format!("visual.{conv}.weight"), &format!("{shape:?}"))),
            };
        for conv in ["conv1", "conv2", "conv3"] {
            channels = expect(conv, [outputs(conv), channels, 3, 3])?;
        }
        for (stage, blocks) in self.stages.into_iter().enumerate() {
            for block in 0..blocks {
                let name = |part: &str| format!("layer{}.{block}.{part}", stage + 1);
                let inner = expect(&name("conv1"), [outputs(&name("conv1")), channels, 1, 1])?;
                let inner = expect(&name("conv2"), [inner, inner, 3, 3])?;
                let outer = if block == 0 { outputs(&name("conv3")) } else { channels };
                expect(&name("conv3"), [outer, inner, 1, 1])?;
                if block == 0 {
                    expect(&name("downsample.0"), [outer, channels, 1, 1])?;
                }
                channels = outer;
            }
        }
        if channels != features {
            return Err(wrong(
                file,
                "visual.attnpool.positional_embedding",
                &format!("(positions, {channels})"),
            ));
        }
        for (theirs, ours) in [("q_proj", "query"), ("k_proj", "key"), ("v_proj", "value"), ("c_proj", "out")]
        {
            let [weight, bias] =
                ["weight", "bias"].map(|last| &self.tensors[&format!("{ours}.{last}")].shape);
            let columns = if ours == "out" { weight[1] } else { features };
            if *weight != [features, columns] {
                return Err(wrong(
                    file,
                    &format!("visual.attnpool.{theirs}.weight"),
                    &format!("[{columns}, {features}]"),
                ));
            }
            if *bias != [columns] {
                return Err(wrong(file, &format!("visual.attnpool.{theirs}.bias"), &format!("[{columns}]")));
            }
        }
        Ok(())
    }
}

/// A convolution's weight and bias with its batch norm folded in: w·γ/√(σ² + ε) and β − μ·γ/√(σ² + ε).
fn folded(file: &TensorFile, convolution: &Convolution) -> Result<[Tensor; 2], ClipError> {
    let weight_name = format!("visual.{}.weight", convolution.conv);
    let weight = finite(file, &weight_name)?;
    let kernel = convolution.kernel;
    if !matches!(weight.shape[..], [outputs, _, h, w] if outputs > 0 && h == kernel && w == kernel) {
        return Err(wrong(file, &weight_name, &format!("(O, C, {kernel}, {kernel})")));
    }
    let outputs = weight.shape[0];
    let mut of_norm = vec![];
    for last in ["weight", "bias", "running_mean", "running_var"] {
        let name = format!("visual.{}.{last}", convolution.norm);
        let tensor = finite(file, &name)?;
        if tensor.shape != [outputs] {
            return Err(wrong(file, &name, &format!("[{outputs}]")));
        }
        of_norm.push(&tensor.data);
    }
    let factor: Vec<f64> = (0..outputs)
        .map(|o| f64::from(of_norm[0][o]) / (f64::from(of_norm[3][o]) + EPSILON).sqrt())
        .collect();
    let bias = (0..outputs).map(|o| (f64::from(of_norm[1][o]) - f64::from(of_norm[2][o]) * factor[o]) as f32);
    let mut scaled = weight.clone();
    for (row, factor) in scaled.data.chunks_mut(weight.data.len() / outputs).zip(&factor) {
        row.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
    Ok([scaled, Tensor { shape: vec![outputs], data: bias.collect() }])
}

fn wrong(file: &TensorFile, name: &str, expected: &str) -> ClipError {
    let found = file.tensors.get(name).map(|tensor| tensor.shape.clone()).unwrap_or_default();
    ClipError::Shape { path: file.path.clone(), name: name.into(), expected: expected.into(), found }
}
