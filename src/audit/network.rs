//! Which network: what the user says, what files and data say, and what the architecture has by itself.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use super::AuditError;
use crate::{
    data::{Dataset, Picture},
    federated::Request,
    nn::{Options, architecture::architecture, graph::Graph},
    tensor_file::{GradientInfo, WeightsInfo},
};

/// Architecture where nobody says one.
pub const DEFAULT_ARCHITECTURE: &str = "lenet-zhu";

/// What the user says; what is `None` is known from elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    /// As in the registry.
    pub architecture: Option<String>,
    /// The network of a file, in place of the registry's.
    pub graph: Option<Arc<Graph>>,
    /// Choices that do not stand in the name.
    pub options: Options,
    /// `[H, W]`
    pub size: Option<[usize; 2]>,
    /// Of the pictures: 1 or 3.
    pub channels: Option<usize>,
    /// `K`
    pub classes: Option<usize>,
}

/// What something beside the user says: a gradient file, a data set.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// As in the registry.
    pub architecture: Option<String>,
    /// Choices that do not stand in the name.
    pub options: Options,
    /// `[C, H, W]`, binding.
    pub image: Option<[usize; 3]>,
    /// `[C, H, W]` of the pictures, for architectures that take any size.
    pub pictures: Option<[usize; 3]>,
    /// Every size `[H, W]` of them, with how many have it.
    pub sizes: Vec<([usize; 2], usize)>,
    /// `K`
    pub classes: Option<usize>,
}

impl Known {
    /// What pictures say by their sizes.
    pub fn of_pictures(pictures: &[Picture]) -> Known {
        let mut counts = BTreeMap::new();
        for Picture { height, width, .. } in pictures {
            *counts.entry([*height, *width]).or_insert(0) += 1;
        }
        let shape = pictures.first().map(Picture::shape);
        Known { pictures: shape, sizes: counts.into_iter().collect(), ..Known::default() }
    }

    /// What a data set says.
    pub fn of_data(dataset: &Dataset) -> Known {
        Known {
            pictures: dataset.picture(0).ok().map(|p| p.shape()),
            sizes: dataset.sizes(),
            classes: Some(dataset.class_names.len()),
            ..Known::default()
        }
    }
}

impl Network {
    /// What the user says, then what is known, then the architecture's own.
    ///
    /// # Errors
    /// An architecture or options that there are not.
    pub fn request(&self, known: &Known) -> Result<Request, AuditError> {
        if let Some(graph) = &self.graph {
            return self.of_file(graph);
        }
        let name = self.architecture.clone().or(known.architecture.clone());
        let name = name.unwrap_or_else(|| DEFAULT_ARCHITECTURE.into());
        let options = self.options.clone().or(known.options.clone());
        let architecture = architecture(&name, &options).map_err(AuditError::misuse)?;
        self.check_sizes(known, architecture.any_size())?;
        let own = match known.pictures.filter(|_| architecture.any_size()) {
            // Colour or grey, a network sees colour unless told otherwise.
            Some([_, h, w]) => {
                let smallest = architecture.smallest_side();
                [architecture.default_image()[0], h.max(smallest), w.max(smallest)]
            }
            None => architecture.default_image(),
        };
        let [c, h, w] = known.image.unwrap_or(own);
        let [h, w] = self.size.unwrap_or([h, w]);
        let image = Some([self.channels.unwrap_or(c), h, w]);
        Ok(Request { name, graph: None, options, image, classes: self.classes.or(known.classes) })
    }

    /// A file's network has its own pictures and classes, which the user may say too.
    fn of_file(&self, graph: &Arc<Graph>) -> Result<Request, AuditError> {
        let [c, h, w] = graph.image;
        let said = [
            ("--classes", self.classes, graph.classes),
            ("--channels", self.channels, c),
            ("--image-size (height)", self.size.map(|size| size[0]), h),
            ("--image-size (width)", self.size.map(|size| size[1]), w),
        ];
        for (option, said, found) in said {
            if let Some(said) = said.filter(|&said| said != found) {
                return Err(AuditError::Misuse(format!(
                    "{option}: expected {found}, for which the network in {} was exported, found {said}",
                    graph.name
                )));
            }
        }
        Ok(Request {
            name: graph.name.clone(),
            graph: Some(graph.clone()),
            options: Options::default(),
            image: Some(graph.image),
            classes: Some(graph.classes),
        })
    }

    /// A network that takes any size takes that of the pictures, if they have one.
    fn check_sizes(&self, known: &Known, any_size: bool) -> Result<(), AuditError> {
        const SHOWN: usize = 4;
        if self.size.is_some() || known.image.is_some() || known.sizes.len() < 2 || !any_size {
            return Ok(());
        }
        let sizes: Vec<String> =
            known.sizes.iter().take(SHOWN).map(|([h, w], count)| format!("{count} of {h}×{w}")).collect();
        Err(AuditError::Misuse(format!(
            "the pictures are of several sizes ({}{}): give the victim's with --image-size",
            sizes.join(", "),
            if known.sizes.len() > SHOWN { ", …" } else { "" }
        )))
    }

    /// What a gradient file says of the network.
    ///
    /// # Errors
    /// The user contradicts it, or neither says which architecture.
    pub fn known_from(&self, info: &GradientInfo, path: &Path) -> Result<Known, AuditError> {
        let file = path.display();
        match (&info.architecture, &self.architecture) {
            (Some(found), Some(asked)) if found != asked => {
                return Err(AuditError::Misuse(format!(
                    "{file}: the gradient is of architecture '{found}', --arch says '{asked}'"
                )));
            }
            (None, None) if self.graph.is_none() => {
                return Err(AuditError::Misuse(format!(
                    "{file} does not say its architecture: give --arch, or --model"
                )));
            }
            (Some(found), None) if self.graph.is_none() && is_file(found) => {
                return Err(AuditError::Misuse(format!(
                    "{file}: the gradient is of the network in '{found}': give it as --model"
                )));
            }
            _ => {}
        }
        // Names and shapes of the tensors say whether the file's network is the gradient's.
        if self.graph.is_some() {
            let known = Known { image: info.image_shape, classes: info.classes, ..Known::default() };
            let request = self.request(&known)?;
            for (what, said, own) in [
                (
                    "images",
                    info.image_shape.map(|shape| format!("{shape:?}")),
                    format!("{:?}", request.image.unwrap_or_default()),
                ),
                (
                    "classes",
                    info.classes.map(|k| k.to_string()),
                    request.classes.unwrap_or_default().to_string(),
                ),
            ] {
                if let Some(said) = said.filter(|said| *said != own) {
                    return Err(AuditError::Misuse(format!(
                        "{file}: {what} {said}, the network in {} has {own}",
                        request.name
                    )));
                }
            }
            return Ok(known);
        }
        let in_file: Options = info
            .options
            .as_deref()
            .unwrap_or_default()
            .parse()
            .map_err(|error| AuditError::Misuse(format!("{file}: metadata 'options': {error}")))?;
        let known = Known {
            architecture: info.architecture.clone(),
            options: in_file.clone(),
            image: info.image_shape,
            classes: info.classes,
            ..Known::default()
        };
        let request = self.request(&known)?;
        if request.options != in_file && info.architecture.is_some() {
            return Err(AuditError::Misuse(format!(
                "{file}: the gradient is of '{} {in_file}', the options say '{} {}'",
                request.name, request.name, request.options
            )));
        }
        match info.image_shape {
            Some(found) if request.image != Some(found) => Err(AuditError::Misuse(format!(
                "{file}: images of {found:?} (C, H, W), the options say {:?}",
                request.image.unwrap_or_default()
            ))),
            _ => Ok(known),
        }
    }

    /// The network of weights that say what they are, for pictures of which so much is known.
    ///
    /// # Errors
    /// The file's options cannot be read.
    pub fn of_weights(
        &self,
        info: &WeightsInfo,
        path: &Path,
        pictures: Known,
    ) -> Result<Request, AuditError> {
        let mut known =
            Known { architecture: info.architecture.clone(), image: info.image_shape, ..pictures };
        // The options belong to the architecture that the file names.
        if self.architecture.is_none() || self.architecture == info.architecture {
            let options = info.options.as_deref().map(str::parse).transpose();
            known.options = options
                .map_err(|error| {
                    AuditError::File(format!("{}: metadata 'options': {error}", path.display()))
                })?
                .unwrap_or_default();
        }
        Ok(Request { classes: self.classes, ..self.request(&known)? })
    }
}

/// Whether a gradient's architecture is the name of a file.
fn is_file(architecture: &str) -> bool {
    [".pt2", ".onnx"].iter().any(|end| architecture.ends_with(end))
}
