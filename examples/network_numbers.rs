//! What a client and an eavesdropper compute with a file's network, for comparison with another implementation.
//!
//!     cargo run --release --example network_numbers -- MODEL IN.safetensors OUT.safetensors eval|train cpu64|cpu|gpu [first]
//!
//! IN holds `x` `(B,C,H,W)`, normalised, `labels` `(B)`, and `target.NAME` for every parameter, a gradient. OUT gets `logits` `(B,K)`,
//! `gradient.NAME`, and `l2` and `cosine` `(B,C,H,W)`, the derivatives by x of two matching losses; with `first` only what the
//! client computes. `cpu64` is the CPU device in `f64`.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context, ensure};
use gia_gpu::{
    attack::{
        config::{AttackConfig, Objective},
        pixels::Pixels,
        problem::{Problem, Scene, Sizes},
    },
    device::{Device, cpu::Cpu, gpu::Gpu, gpu::GpuOptions},
    federated::{Protocol, Request, Victim, simulate},
    nn::{Mode, graph::Graph, loss::one_hot},
    plan::Plan,
    tape::{Tape, Var},
    tensor_file::{Tensor, TensorFile},
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, input, output, mode, device, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("expected MODEL IN.safetensors OUT.safetensors eval|train cpu64|cpu|gpu [first]");
    };
    let device: Box<dyn Device> = match device.as_str() {
        "cpu64" => Box::new(Cpu::<f64>::new()),
        "cpu" => Box::new(Cpu::<f32>::new()),
        _ => Box::new(Gpu::new(GpuOptions { allow_software: true, ..GpuOptions::default() })?),
    };
    let mode = if mode == "train" { Mode::Train } else { Mode::Eval };
    let graph = Arc::new(Graph::read(Path::new(model))?);
    let request = Request { image: Some(graph.image), graph: Some(graph), ..Request::named(model) };
    let victim = Victim::from_seed(&request, 0)?;
    let file = TensorFile::read(Path::new(input))?;
    let get = |name: &str| file.tensors.get(name).with_context(|| format!("{input}: no tensor '{name}'"));
    let (x, labels) = (get("x")?, get("labels")?);
    let [c, h, w] = victim.model.image;
    ensure!(x.shape[1..] == [c, h, w], "x of shape {:?}, expected (B,{c},{h},{w})", x.shape);
    let batch = x.shape[0];
    let labels: Vec<usize> = labels.data.iter().map(|&label| label as usize).collect();
    let case = Case { device: &*device, victim: &victim, mode, x: &x.data, labels: &labels };

    let mut found = case.step()?;
    if rest.is_empty() {
        let specs = victim.gradient_specs();
        let target: Vec<&[f32]> = (specs.iter())
            .map(|spec| Ok(&get(&format!("target.{}", spec.name))?.data[..]))
            .collect::<anyhow::Result<_>>()?;
        for (name, objective) in [("l2", Objective::L2), ("cosine", Objective::Cosine)] {
            let slope = case.matching(objective, &target)?;
            found.insert(name.into(), Tensor { shape: vec![batch, c, h, w], data: slope });
        }
    }
    TensorFile::write(Path::new(output), &found, &BTreeMap::new())?;
    Ok(())
}

struct Case<'a> {
    device: &'a dyn Device,
    victim: &'a Victim,
    mode: Mode,
    x: &'a [f32],
    labels: &'a [usize],
}

impl Case<'_> {
    /// Logits and the gradient of the mean cross entropy.
    fn step(&self) -> anyhow::Result<BTreeMap<String, Tensor>> {
        let model = &self.victim.model;
        let [c, h, w] = model.image;
        let mut tape = Tape::new();
        let x = tape.input(&[1, self.labels.len(), c, h, w]);
        let targets = tape.input(&[1, self.labels.len(), model.classes]);
        let step = simulate(&mut tape, model, &self.protocol(), x, targets);
        let keep = [&[step.logits], &step.gradient[..]].concat();
        let weights = step.parameters.iter().map(|p| p.stored).zip(self.weights()).collect();
        let values = self.run(&tape, &keep, weights, [x, targets])?;
        let specs = self.victim.gradient_specs();
        let names = specs.iter().map(|spec| (format!("gradient.{}", spec.name), spec.shape.clone()));
        let logits = ("logits".to_string(), vec![self.labels.len(), model.classes]);
        let named = [logits].into_iter().chain(names).zip(values);
        Ok(named.map(|((name, shape), data)| (name, Tensor { shape, data })).collect())
    }

    /// The derivative of a matching loss by the pictures.
    fn matching(&self, objective: Objective, target: &[&[f32]]) -> anyhow::Result<Vec<f32>> {
        let model = &self.victim.model;
        let config =
            AttackConfig { objective, total_variation: 0.0, ..AttackConfig::preset("ig", model.depth())? };
        let protocol = self.protocol();
        let scene =
            Scene { model, protocol: &protocol, config: &config, views: &[], weighted: false, scaled: false };
        let pixels = Pixels::free(self.labels.len(), model.image);
        let problem = Problem::new(&scene, &pixels, Sizes::one_target(1, self.labels.len(), false));
        let mut inputs: Vec<(Var, &[f32])> =
            problem.parameters.iter().map(|p| p.stored).zip(self.weights()).collect();
        inputs.extend(problem.observed.iter().copied().zip(target.iter().copied()));
        let values = self.run(&problem.tape, &[problem.gradients[0]], inputs, [problem.x, problem.labels])?;
        Ok(values.into_iter().next().expect("one is kept"))
    }

    fn protocol(&self) -> Protocol {
        Protocol { mode: self.mode, ..Protocol::default() }
    }

    fn weights(&self) -> impl Iterator<Item = &[f32]> {
        self.victim.tensors.iter().map(Vec::as_slice)
    }

    fn run(
        &self,
        tape: &Tape,
        keep: &[Var],
        inputs: Vec<(Var, &[f32])>,
        [x, labels]: [Var; 2],
    ) -> anyhow::Result<Vec<Vec<f32>>> {
        let mut executable = self.device.compile(&Plan::new(tape, keep, &[]))?;
        for (var, values) in inputs {
            executable.write(var, values)?;
        }
        executable.write(x, self.x)?;
        executable.write(labels, &one_hot(self.labels, self.victim.model.classes))?;
        executable.run(1)?;
        keep.iter().map(|&var| Ok(executable.read(var)?)).collect()
    }
}
