//! Clients of PyTorch (`make_clients.py`): what they send is read as what it is.

use std::{collections::BTreeMap, path::Path};

use gia_gpu::{
    attack::{
        labels::{Doubt, Method, Verdict, sign_and_scale},
        last_layer::{last_layer, of_gradient},
    },
    federated::{Kind, Local, Protocol, Request, Victim, observed::mean_gradient, received::Received},
    nn::Mode,
    tensor_file::{GradientFile, Tensor, TensorFile},
};
use tempfile::TempDir;

struct Fixture {
    tensors: BTreeMap<String, Tensor>,
    labels: Vec<usize>,
    folder: TempDir,
}

impl Fixture {
    fn load(name: &str) -> Fixture {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/clients/{name}.safetensors"));
        let file = TensorFile::read(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let labels = if file.non_float.contains_key("labels") { integers(&bytes) } else { vec![] };
        Fixture { tensors: file.tensors, labels, folder: TempDir::new().unwrap() }
    }

    /// The tensors under a prefix, which is taken off.
    fn under(&self, prefix: &str) -> BTreeMap<String, Tensor> {
        let own = |(name, tensor): (&String, &Tensor)| {
            Some((name.strip_prefix(prefix)?.to_string(), tensor.clone()))
        };
        self.tensors.iter().filter_map(own).collect()
    }

    fn victim(&self, request: &Request) -> Victim {
        let path = self.folder.path().join("server.safetensors");
        TensorFile::write(&path, &self.under("server."), &BTreeMap::new()).unwrap();
        Victim::from_file(&path, request).unwrap()
    }

    fn received(
        &self,
        tensors: &BTreeMap<String, Tensor>,
        victim: &Victim,
        protocol: &Protocol,
        kind: Kind,
    ) -> Received {
        let path = self.folder.path().join("sent.safetensors");
        TensorFile::write(&path, tensors, &BTreeMap::new()).unwrap();
        let file = GradientFile::read(&path).unwrap();
        Received::read(file, victim, protocol, kind, 4, false).unwrap()
    }

    /// Local minus server.
    fn difference(&self) -> BTreeMap<String, Tensor> {
        let server = self.under("server.");
        let minus = |(name, mut local): (String, Tensor)| {
            local.data.iter_mut().zip(&server[&name].data).for_each(|(l, s)| *l -= s);
            (name, local)
        };
        self.under("local.").into_iter().map(minus).collect()
    }
}

/// The I64 tensor `labels` of a file of ours: data follow the header in its order.
fn integers(bytes: &[u8]) -> Vec<usize> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let place = |i: usize| 8 + length + header["labels"]["data_offsets"][i].as_u64().unwrap() as usize;
    bytes[place(0)..place(1)].chunks(8).map(|v| i64::from_le_bytes(v.try_into().unwrap()) as usize).collect()
}

fn mlp(activation: &str, classes: usize) -> Request {
    Request {
        options: format!("hidden=16 activation={activation}").parse().unwrap(),
        image: Some([1, 8, 8]),
        classes: Some(classes),
        ..Request::named("mlp")
    }
}

/// Of a dozen pictures each, iDLG misses what the exact rule finds, whatever the gradient's factor.
#[test]
fn one_picture_of_a_network_with_negative_features_has_its_label() {
    let mut missed = 0;
    for activation in ["tanh", "silu"] {
        let fixture = Fixture::load(activation);
        let victim = fixture.victim(&mlp(activation, 10));
        for (i, &label) in fixture.labels.iter().enumerate() {
            let named = fixture.under(&format!("{i}."));
            let gradient: Vec<Vec<f32>> =
                victim.gradient_specs().iter().map(|s| named[&s.name].data.clone()).collect();
            for factor in [1.0, 0.01, 7.0] {
                let scaled: Vec<Vec<f32>> =
                    gradient.iter().map(|t| t.iter().map(|v| v * factor).collect()).collect();
                let found = of_gradient(&victim, &scaled, Method::Ilrg, 1).unwrap();
                assert_eq!(
                    found.labels(),
                    [label],
                    "{activation}, picture {i}, × {factor}: {:?}",
                    found.warnings
                );
            }
            missed +=
                usize::from(of_gradient(&victim, &gradient, Method::Idlg, 1).unwrap().labels() != [label]);
        }
    }
    assert!(missed > 3, "{missed}: the fixture shows nothing");
}

#[test]
fn a_whole_state_dict_that_was_subtracted_gives_the_batchs_statistics() {
    let fixture = Fixture::load("batch_norm");
    let victim = fixture.victim(&Request { classes: Some(10), ..Request::named("convnet1") });
    let protocol = Protocol { mode: Mode::Train, local: Some(Local::sgd(1, 4, 0.01)), ..Protocol::default() };
    for (kind, sent) in [(Kind::Update, fixture.difference()), (Kind::Model, fixture.under("local."))] {
        let received = fixture.received(&sent, &victim, &protocol, kind);
        assert_eq!(received.mode, Some(Mode::Train));
        assert_eq!(received.notes.iter().any(|n| n.contains("differences")), kind == Kind::Update);
        let found = received.statistics(&victim, &protocol, 4, Path::new("sent")).unwrap().unwrap();
        for (i, pair) in found.chunks(2).enumerate() {
            for (found, what) in pair.iter().zip(["mean", "var"]) {
                for (found, seen) in found.iter().zip(&fixture.tensors[&format!("{what}.{i}")].data) {
                    assert!((found - seen).abs() < 2e-4, "{kind}, {what}.{i}: {found} for {seen}");
                }
            }
        }
    }
}

/// An update without its rate, or of the wrong sign: either label fits, and which one is said to be undecided.
#[test]
fn two_classes_and_an_unknown_factor_are_undecided_with_both_readings() {
    let fixture = Fixture::load("two_classes");
    let victim = fixture.victim(&mlp("relu", 2));
    let mut fitting = 0;
    for (i, &label) in fixture.labels.iter().enumerate() {
        let named = fixture.under(&format!("{i}."));
        for factor in [1.0, -0.01, 0.01] {
            let gradient: Vec<Vec<f32>> = victim
                .gradient_specs()
                .iter()
                .map(|s| named[&s.name].data.iter().map(|v| v * factor).collect())
                .collect();
            let found = sign_and_scale(&last_layer(&victim, &gradient).unwrap(), 1);
            if factor == 1.0 {
                // Where the victim is between its two classes, a factor of −1 fits as well.
                fitting += usize::from(found.verdict == Verdict::Fits);
                assert!(!found.is_reversed(), "picture {i}: {found}");
                assert_eq!(of_gradient(&victim, &gradient, Method::Ilrg, 1).unwrap().labels(), [label]);
            } else {
                assert_eq!(found.verdict, Verdict::Undecided(Doubt::TwoClasses), "picture {i}: {found}");
                let warning = found.warning().unwrap();
                assert!(warning.contains("labels 0") && warning.contains("labels 1"), "{warning}");
            }
        }
    }
    assert!(fitting > 9, "{fitting}");
}

#[test]
fn local_steps_with_momentum_are_no_reversed_update_and_give_their_labels() {
    let fixture = Fixture::load("momentum");
    let victim = fixture.victim(&mlp("relu", 10));
    let mut labels = fixture.labels.clone();
    labels.sort_unstable();
    for optimiser in ["sgd", "momentum:0.9"] {
        let local = Local { optimiser: optimiser.parse().unwrap(), ..Local::sgd(4, 1, 0.01) };
        let protocol = Protocol { local: Some(local), ..Protocol::default() };
        let sent = fixture.difference();
        let received = fixture.received(&sent, &victim, &protocol, Kind::Update);
        let specs = victim.gradient_specs();
        let by_hand = specs.iter().map(|s| sent[&s.name].data.clone()).collect();
        assert_eq!(received.gradient, mean_gradient(&victim, &protocol, Kind::Update, 4, by_hand));
        let found = sign_and_scale(&last_layer(&victim, &received.gradient).unwrap(), 4);
        assert!(!found.is_reversed(), "{optimiser}: {found}");
        if optimiser != "sgd" {
            assert_eq!(of_gradient(&victim, &received.gradient, Method::Ilrg, 4).unwrap().labels(), labels);
        }
    }
}
