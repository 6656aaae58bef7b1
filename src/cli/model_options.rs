//! Which network.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use clap::Args;

use super::{help::group, misuse, progress::Terminal, spelled::spelled};
pub(crate) use crate::audit::{DEFAULT_ARCHITECTURE, Known};
use crate::{
    audit::{AuditError, Network, note_positions},
    federated::{Request, Victim, VictimError},
    nn::{
        Options,
        graph::Graph,
        options::{Activation, Norm, Stem, parse_hidden},
    },
    watch::Watch,
};

/// The network.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = group::VICTIM)]
pub(crate) struct ModelOptions {
    /// Architecture, as in lenet-zhu, convnet64 or resnet18
    ///
    /// lenet-zhu, lenet5, mlp, convnet<width>, torchvision's resnet18/34/50 and vgg11/13/16/19[_bn], CIFAR's
    /// resnet20/32/56, resnet9-<width>, vit_b_16, vit_tiny.
    #[arg(long, value_name = "A", group = "network")]
    pub arch: Option<String>,
    /// A network of your own, with its weights: a .pt2 or .onnx file
    ///
    /// As torch.export.save writes it, or ONNX without folded layers; see examples/export_model.py. --weights replaces its
    /// weights by name, and gives them where a torch before 2.8 wrote the file, which keeps them as a pickle.
    #[arg(long, value_name = "FILE", group = "network", conflicts_with_all = ["arch", "stem", "hidden", "activation", "norm"])]
    pub model: Option<PathBuf>,
    #[arg(skip)]
    graph: OnceLock<Arc<Graph>>,
    /// How resnet18/34/50 begin
    #[arg(long, value_name = "S", value_parser = spelled::<Stem>())]
    stem: Option<Stem>,
    /// Widths of an mlp's hidden layers, as in 512,256
    #[arg(long, value_name = "N,N")]
    hidden: Option<String>,
    /// Activation of hidden layers, in place of the architecture's
    #[arg(long, value_name = "F", value_parser = spelled::<Activation>())]
    activation: Option<Activation>,
    /// Normalisation, where the architecture has batch norm
    #[arg(long, value_name = "N", value_parser = spelled::<Norm>())]
    norm: Option<Norm>,
    /// Side of the images, as in 64, or height and width, as in 64x48
    #[arg(long, value_name = "S")]
    image_size: Option<String>,
    /// Channels of the images
    #[arg(long, value_name = "C")]
    channels: Option<usize>,
    /// Number of classes, where neither weights nor data set say
    #[arg(long, value_name = "K")]
    pub classes: Option<usize>,
}

impl ModelOptions {
    /// Whether none of them is given.
    pub(crate) fn is_default(&self) -> bool {
        *self == ModelOptions::default()
    }

    /// What presets are chosen for: the architecture, or a name that the registry does not know.
    pub(crate) fn name(&self) -> &str {
        match (&self.model, &self.arch) {
            (Some(_), _) => "",
            (None, Some(name)) => name,
            (None, None) => DEFAULT_ARCHITECTURE,
        }
    }

    /// The network of `--model`, read once, with what is to be said of it.
    fn graph(&self) -> anyhow::Result<Option<Arc<Graph>>> {
        let Some(path) = &self.model else { return Ok(None) };
        if self.graph.get().is_none() {
            let graph = Graph::read(path)?;
            for note in &graph.notes {
                Terminal.note(&format!("{}: {note}", path.display()));
            }
            return Ok(Some(self.graph.get_or_init(|| Arc::new(graph)).clone()));
        }
        Ok(self.graph.get().cloned())
    }

    /// What the options say.
    pub(crate) fn network(&self) -> anyhow::Result<Network> {
        let hidden = self.hidden.as_deref().map(parse_hidden).transpose();
        let hidden = hidden.map_err(|error| misuse(format!("--hidden: {error}")))?;
        Ok(Network {
            architecture: self.arch.clone(),
            graph: self.graph()?,
            options: Options { stem: self.stem, hidden, activation: self.activation, norm: self.norm },
            size: self.image_size.as_deref().map(parse_size).transpose()?,
            channels: self.channels,
            classes: self.classes,
        })
    }

    /// The options, then what is known, then the architecture's own.
    pub(crate) fn request(&self, known: &Known) -> anyhow::Result<Request> {
        Ok(self.network()?.request(known)?)
    }
}

/// `64` or `64x48`.
fn parse_size(text: &str) -> anyhow::Result<[usize; 2]> {
    let parts = match text.split_once('x') {
        Some((h, w)) => [h, w],
        None => [text, text],
    };
    match parts.map(|part| part.trim().parse()) {
        [Ok(h), Ok(w)] => Ok([h, w]),
        _ => Err(misuse(format!("--image-size: expected a side as in 64, or 64x48, found '{text}'"))),
    }
}

/// The network and its weights.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = group::VICTIM)]
pub(crate) struct VictimOptions {
    #[command(flatten)]
    pub model: ModelOptions,
    /// Weights: a safetensors or .npz file with PyTorch's state_dict
    ///
    /// Without it they are initialised by seed.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
}

impl VictimOptions {
    /// The network; `known`: what the data set says. Of a file, the classes are those that it has.
    pub(crate) fn request(&self, known: &Known) -> anyhow::Result<Request> {
        let request = self.model.request(known)?;
        Ok(match self.weights {
            Some(_) => Request { classes: self.model.classes, ..request },
            None => request,
        })
    }

    /// `known`: what the data set says, for a victim without weights.
    pub(crate) fn open(&self, seed: u64, known: &Known) -> anyhow::Result<Victim> {
        let request = self.request(known)?;
        let victim = match &self.weights {
            Some(path) => Victim::from_file(path, &request),
            None => Victim::from_seed(&request, seed),
        };
        let victim = victim.map_err(victim_error)?;
        if let Some(path) = &self.weights {
            note_positions(path, victim.positions.as_ref(), &Terminal);
        }
        Ok(victim)
    }
}

/// What the options ask for is misuse where no file is to blame.
pub(crate) fn victim_error(error: VictimError) -> anyhow::Error {
    AuditError::from(error).into()
}
