//! Which network.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{help::group, misuse, observed::say_positions, spelled::spelled};
use crate::{
    federated::{Request, Victim, VictimError},
    nn::{
        Options,
        architecture::architecture,
        options::{Activation, Norm, Stem, parse_hidden},
    },
    tensor_file::GradientInfo,
};

/// Architecture of commands that are told none.
pub const DEFAULT_ARCHITECTURE: &str = "lenet-zhu";

/// The network.
#[derive(Args, Clone, Debug, Default, PartialEq)]
#[command(next_help_heading = group::VICTIM)]
pub struct ModelOptions {
    /// Architecture, as in lenet-zhu, convnet64 or resnet18
    ///
    /// lenet-zhu, lenet5, mlp, convnet<width>, torchvision's resnet18/34/50 and vgg11/13/16/19[_bn], CIFAR's
    /// resnet20/32/56, resnet9-<width>.
    #[arg(long, value_name = "A")]
    pub arch: Option<String>,
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

/// What something beside the options says of the network: a gradient file, a data set.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub architecture: Option<String>,
    pub options: Options,
    /// `[C, H, W]`, binding.
    pub image: Option<[usize; 3]>,
    /// `[C, H, W]` of the pictures, for architectures that take any size.
    pub pictures: Option<[usize; 3]>,
    /// Every size `[H, W]` of them, with how many have it.
    pub sizes: Vec<([usize; 2], usize)>,
    pub classes: Option<usize>,
}

impl ModelOptions {
    /// Whether none of them is given.
    pub fn is_default(&self) -> bool {
        *self == ModelOptions::default()
    }

    /// The options, then what is known, then the architecture's own.
    pub fn request(&self, known: &Known) -> anyhow::Result<Request> {
        let name = self.arch.clone().or(known.architecture.clone());
        let name = name.unwrap_or_else(|| DEFAULT_ARCHITECTURE.into());
        let hidden = self.hidden.as_deref().map(parse_hidden).transpose();
        let hidden = hidden.map_err(|error| misuse(format!("--hidden: {error}")))?;
        let asked = Options { stem: self.stem, hidden, activation: self.activation, norm: self.norm };
        let options = asked.or(known.options.clone());
        let architecture = architecture(&name, &options).map_err(misuse)?;
        let said = self.image_size.is_some() || known.image.is_some();
        if !said && known.sizes.len() > 1 && architecture.any_size() {
            let sizes: Vec<String> =
                known.sizes.iter().take(4).map(|([h, w], count)| format!("{count} of {h}×{w}")).collect();
            return Err(misuse(format!(
                "the pictures are of several sizes ({}{}): give the victim's with --image-size",
                sizes.join(", "),
                if known.sizes.len() > 4 { ", …" } else { "" }
            )));
        }
        let own = match known.pictures.filter(|_| architecture.any_size()) {
            // Colour or grey, a network sees colour unless told otherwise.
            Some([_, h, w]) => {
                let smallest = architecture.smallest_side();
                [architecture.default_image()[0], h.max(smallest), w.max(smallest)]
            }
            None => architecture.default_image(),
        };
        let [c, h, w] = known.image.unwrap_or(own);
        let [h, w] = match &self.image_size {
            Some(text) => parse_size(text)?,
            None => [h, w],
        };
        let image = Some([self.channels.unwrap_or(c), h, w]);
        Ok(Request { name, options, image, classes: self.classes.or(known.classes) })
    }
}

/// What a gradient file says of the network.
///
/// # Errors
/// The options contradict it, or neither says which architecture.
pub fn known_from(info: &GradientInfo, options: &ModelOptions, path: &Path) -> anyhow::Result<Known> {
    let file = path.display();
    match (&info.architecture, &options.arch) {
        (Some(found), Some(asked)) if found != asked => {
            return Err(misuse(format!(
                "{file}: the gradient is of architecture '{found}', --arch says '{asked}'"
            )));
        }
        (None, None) => return Err(misuse(format!("{file} does not say its architecture: give --arch"))),
        _ => {}
    }
    let in_file: Options = info
        .options
        .as_deref()
        .unwrap_or_default()
        .parse()
        .map_err(|error| misuse(format!("{file}: metadata 'options': {error}")))?;
    let known = Known {
        architecture: info.architecture.clone(),
        options: in_file.clone(),
        image: info.image_shape,
        classes: info.classes,
        ..Known::default()
    };
    let request = options.request(&known)?;
    if request.options != in_file && info.architecture.is_some() {
        return Err(misuse(format!(
            "{file}: the gradient is of '{} {in_file}', the options say '{} {}'",
            request.name, request.name, request.options
        )));
    }
    match info.image_shape {
        Some(found) if request.image != Some(found) => Err(misuse(format!(
            "{file}: images of {found:?} (C, H, W), the options say {:?}",
            request.image.unwrap_or_default()
        ))),
        _ => Ok(known),
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
pub struct VictimOptions {
    #[command(flatten)]
    pub model: ModelOptions,
    /// Weights: a safetensors or .npz file with PyTorch's state_dict
    ///
    /// Without it they are initialised by seed.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
}

impl VictimOptions {
    /// `known`: what the data set says, for a victim without weights.
    pub fn open(&self, seed: u64, known: &Known) -> anyhow::Result<Victim> {
        let request = self.model.request(known)?;
        let victim = match &self.weights {
            Some(path) => Victim::from_file(path, &Request { classes: self.model.classes, ..request }),
            None => Victim::from_seed(&request, seed),
        };
        let victim = victim.map_err(victim_error)?;
        if let Some(path) = &self.weights {
            say_positions(path, victim.positions.as_ref());
        }
        Ok(victim)
    }
}

/// What the options ask for is misuse where no file is to blame.
pub fn victim_error(error: VictimError) -> anyhow::Error {
    match error {
        VictimError::Architecture(_) | VictimError::ClassCount { .. } => misuse(error),
        error => error.into(),
    }
}
