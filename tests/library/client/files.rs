//! Weights and gradients under the names, types and metadata in which people save them (cases 1, 10, 11, 12, 24).

use std::{collections::BTreeMap, path::PathBuf};

use gia_gpu::{
    federated::{
        Kind, Local, Protocol, Request, Victim,
        buffers::{Meaning, absolute, meaning, moved, negative_variance},
        observed::batch_statistics,
    },
    nn::Mode,
    tensor_file::{GradientFile, GradientInfo, ParameterSpec, Tensor, TensorFile},
};
use tempfile::TempDir;

fn request() -> Request {
    Request { classes: Some(10), ..Request::named("convnet4") }
}

fn renamed(victim: &Victim, prefix: &str) -> BTreeMap<String, Tensor> {
    victim.state_dict().into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect()
}

fn written(folder: &TempDir, tensors: &BTreeMap<String, Tensor>, metadata: &[(&str, &str)]) -> PathBuf {
    let path = folder.path().join("file.safetensors");
    let metadata = metadata.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    TensorFile::write(&path, tensors, &metadata).unwrap();
    path
}

#[test]
fn wrappers_prefixes_are_taken_off_and_counters_ignored_whatever_their_type() {
    let folder = TempDir::new().unwrap();
    let victim = Victim::from_seed(&request(), 1).unwrap();
    for prefix in ["", "module.", "_orig_mod.", "_module.", "net.", "_orig_mod.module.", "model."] {
        let mut tensors = renamed(&victim, prefix);
        let counter = Tensor { shape: vec![], data: vec![3.0] };
        tensors.insert(format!("{prefix}model.bn0.num_batches_tracked"), counter);
        let read = Victim::from_file(&written(&folder, &tensors, &[]), &request()).unwrap();
        assert_eq!(read.tensors, victim.tensors, "{prefix}");
        assert_eq!(read.prefix.as_deref().unwrap_or_default(), prefix);
    }
}

#[test]
fn a_network_of_one_channel_is_said_to_be_one() {
    let folder = TempDir::new().unwrap();
    let grey = Request { image: Some([1, 32, 32]), ..Request::named("lenet5") };
    let file = written(&folder, &renamed(&Victim::from_seed(&grey, 1).unwrap(), ""), &[]);
    let error = Victim::from_file(&file, &Request::named("lenet5")).err().unwrap().to_string();
    assert!(error.contains("'lenet5 of 1 channel' best"), "{error}");
    assert!(Victim::from_file(&file, &grey).is_ok());
}

#[test]
fn a_variance_below_0_is_no_weight() {
    let folder = TempDir::new().unwrap();
    let mut tensors = renamed(&Victim::from_seed(&request(), 1).unwrap(), "");
    tensors.get_mut("model.bn1.running_var").unwrap().data[2] = -0.1;
    let error = Victim::from_file(&written(&folder, &tensors, &[]), &request()).err().unwrap().to_string();
    assert!(error.contains("model.bn1.running_var") && error.contains("-0.1"), "{error}");
}

#[test]
fn what_other_tools_say_of_a_gradient_is_no_error() {
    let folder = TempDir::new().unwrap();
    let tensors = BTreeMap::from([("fc.bias".to_string(), Tensor { shape: vec![2], data: vec![0.5, -0.5] })]);
    let foreign: [&[(&str, &str)]; 8] = [
        &[("format", "np")],
        &[("format", "mlx"), ("loss", "0.31"), ("mode", "best")],
        &[("format", "tf")],
        &[("format", "flax")],
        &[("format", "pt"), ("loss", "2.31")],
        &[("format", "pt"), ("mode", "fedavg"), ("kind", "grad")],
        &[("format", "pt"), ("batch_size", "2.0")],
        &[("format", "pt"), ("classes", "cat,dog"), ("mean", "0.5")],
    ];
    for metadata in foreign {
        let read = GradientFile::read(&written(&folder, &tensors, metadata)).unwrap();
        assert_eq!(read.info, GradientInfo::default(), "{metadata:?}");
    }
    let said = GradientFile::read(&written(&folder, &tensors, &[("batch_size", "16")])).unwrap();
    assert_eq!(said.info.batch_size, Some(16));
    // Another program's file that says what kind it is, and is not ours, is not read as if it were.
    let error = GradientFile::read(&written(&folder, &tensors, &[("format", "gia-gpu weights")]));
    assert!(error.is_err());
}

#[test]
fn a_gradient_loses_its_wrappers_prefix_too() {
    let folder = TempDir::new().unwrap();
    let tensor = Tensor { shape: vec![2], data: vec![0.5, -0.5] };
    let asked = [ParameterSpec { name: "fc.bias".into(), shape: vec![2] }];
    for prefix in ["module.", "grad.", "_orig_mod."] {
        let tensors = BTreeMap::from([(format!("{prefix}fc.bias"), tensor.clone())]);
        let file = TensorFile::read(&written(&folder, &tensors, &[])).unwrap();
        let (file, found) = file.tidied(&asked);
        assert_eq!((file.tensors["fc.bias"].clone(), found.as_deref()), (tensor.clone(), Some(prefix)));
    }
}

/// A client in train mode: r ← 0.9·r + 0.1·s, s the statistics of its batch.
struct Client {
    server: Victim,
    protocol: Protocol,
    /// Of the batch: mean and (biased) variance of each batch norm.
    batch: Vec<Vec<f32>>,
    after: Vec<Vec<f32>>,
    counts: Vec<usize>,
}

impl Client {
    fn new() -> Client {
        let mut server = Victim::from_seed(&request(), 2).unwrap();
        for (i, (declaration, tensor)) in server.declarations.iter().zip(&mut server.tensors).enumerate() {
            if !declaration.trainable {
                let odd = |j: usize| 0.3 + 0.1 * ((i + j) % 7) as f32;
                tensor.iter_mut().enumerate().for_each(|(j, v)| *v = odd(j));
            }
        }
        let protocol =
            Protocol { mode: Mode::Train, local: Some(Local::sgd(1, 4, 0.01)), ..Protocol::default() };
        let counts = server.model.statistics_counts(4);
        let batch: Vec<Vec<f32>> = server
            .buffers()
            .enumerate()
            .map(|(i, b)| (0..b.len()).map(|j| 0.2 + 0.05 * ((i * 3 + j) % 11) as f32).collect())
            .collect();
        let after = server.buffers().zip(&batch).enumerate().map(|(i, (before, seen))| {
            let count = counts[i / 2] as f32;
            let unbiased = if i % 2 == 1 { count / (count - 1.0) } else { 1.0 };
            before.iter().zip(seen).map(|(b, s)| 0.9 * b + 0.1 * unbiased * s).collect()
        });
        let after = after.collect();
        Client { protocol, batch, after, counts, server }
    }

    fn difference(&self) -> Vec<Vec<f32>> {
        let pairs = self.after.iter().zip(self.server.buffers());
        pairs.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect()).collect()
    }
}

#[test]
fn buffers_of_an_update_are_told_from_their_differences_and_give_the_batchs_statistics() {
    let client = Client::new();
    let Client { server, protocol, batch, after, counts } = &client;
    for (kind, sent, expected) in [
        (Kind::Update, client.difference(), Meaning::Differences),
        (Kind::Update, after.clone(), Meaning::Absolute),
        (Kind::Model, after.clone(), Meaning::Absolute),
    ] {
        let found = meaning(server, kind, protocol, &sent);
        assert_eq!(found, expected);
        let own = absolute(server, found, sent);
        assert!(moved(server, &own));
        let statistics = batch_statistics(server, protocol, &own, counts);
        assert_eq!(negative_variance(server, &statistics), None);
        for (found, seen) in statistics.iter().flatten().zip(batch.iter().flatten()) {
            assert!((found - seen).abs() < 1e-4, "{found} for {seen}");
        }
    }
    let unmoved: Vec<Vec<f32>> = server.buffers().cloned().collect();
    assert!(!moved(server, &unmoved));
}

#[test]
fn differences_taken_for_statistics_give_variances_below_0_which_are_named() {
    let client = Client::new();
    let wrong = batch_statistics(&client.server, &client.protocol, &client.difference(), &client.counts);
    let (name, value) = negative_variance(&client.server, &wrong).unwrap();
    assert!(name.ends_with("running_var") && value < 0.0, "{name} {value}");
}

#[test]
fn frozen_layers_are_left_out_or_0_and_are_not_matched() {
    let folder = TempDir::new().unwrap();
    let victim = Victim::from_seed(&Request::named("lenet5"), 1).unwrap();
    let specs = victim.gradient_specs();
    let all: BTreeMap<String, Tensor> = specs
        .iter()
        .map(|s| {
            (s.name.clone(), Tensor { shape: s.shape.clone(), data: vec![0.5; s.shape.iter().product()] })
        })
        .collect();
    let read = |tensors: &BTreeMap<String, Tensor>| {
        TensorFile::read(&written(&folder, tensors, &[]))
            .unwrap()
            .parameters_of_some_layers(&specs, gia_gpu::tensor_file::Extra::Reject)
    };
    assert_eq!(read(&all).unwrap().weights(), None);
    let is_frozen = |name: &str| name.starts_with("conv");
    let expected: Vec<f32> = specs.iter().map(|s| if is_frozen(&s.name) { 0.0 } else { 1.0 }).collect();
    let mut without = all.clone();
    without.retain(|name, _| !is_frozen(name));
    assert_eq!(read(&without).unwrap().weights(), Some(expected.clone()));
    let mut zeros = all.clone();
    zeros.iter_mut().filter(|(name, _)| is_frozen(name)).for_each(|(_, t)| t.data.fill(0.0));
    assert_eq!(read(&zeros).unwrap().weights(), Some(expected));
    let mut partly = all.clone();
    partly.remove("conv1.bias");
    assert!(read(&partly).err().unwrap().to_string().contains("conv1.bias"));
    let mut last = all.clone();
    last.retain(|name, _| name.starts_with("conv"));
    assert!(read(&last).err().unwrap().to_string().contains("fc1.weight"));
    let mut nothing = all;
    nothing.values_mut().for_each(|t| t.data.fill(0.0));
    assert_eq!(read(&nothing).unwrap().weights(), None);
}
