//! Names by example, as a part of an audit: with a naming model's features, or the victim's own.

use std::collections::HashSet;

use super::{Audit, AuditError, Clients, NamingModel};
use crate::{
    attack::threat::{Knowledge, Use},
    clip::{
        ClipError, Encoder, Examples, Head, NameFeatures, Prototypes, Templates,
        preprocess::{self, CHANNELS},
    },
    data::Normalisation,
    device::Device,
    federated::Victim,
    nn::Mode,
    tape::{Tape, Var},
    watch::Watch,
};

/// That this knowledge is used.
pub fn examples_use() -> Use {
    Use::new(Knowledge::PublicData, "pictures that names are learned from (--names-from)")
}

impl NamingModel {
    /// Learns names from examples.
    ///
    /// # Errors
    /// As of [`Prototypes::learn`].
    pub fn by_example(
        device: &dyn Device,
        encoder: Box<dyn Encoder>,
        examples: &Examples,
        watch: &dyn Watch,
    ) -> Result<NamingModel, AuditError> {
        let names = examples.names.clone();
        let encoder = Box::new(Prototypes::learn(device, encoder, examples, watch)?);
        Ok(NamingModel { encoder, names, templates: Templates::plain() })
    }
}

impl Audit {
    /// Examples that this eavesdropper may have, without the clients' own pictures, which are noted.
    ///
    /// # Errors
    /// The threat model does not grant public pictures; too few are left.
    pub fn examples(
        &self,
        examples: Examples,
        clients: Option<&Clients>,
        watch: &dyn Watch,
    ) -> Result<Examples, AuditError> {
        self.granted(&[examples_use()])?;
        let Some(clients) = clients else { return Ok(examples) };
        let shape = self.victim.image_shape();
        let (examples, fallen) =
            examples.without(&clients.originals(), |picture| Ok(picture.clone().fitted(shape)?))?;
        if fallen > 0 {
            watch.note(&format!(
                "{fallen} pictures of {} are a client's, and no examples",
                examples.folder.display()
            ));
        }
        Ok(examples)
    }

    /// The victim as a naming model: what its last layer is given.
    pub fn own_features(&self) -> OwnFeatures {
        let own = self.normalisation.clone();
        let repeated =
            |values: &[f32]| if values.len() == 1 { values.repeat(CHANNELS) } else { values.to_vec() };
        let normalisation = Normalisation::new(repeated(own.mean()), repeated(own.std()));
        OwnFeatures {
            victim: self.victim.clone(),
            normalisation: normalisation.expect("the same numbers, repeated"),
        }
    }
}

/// A victim's penultimate features.
pub struct OwnFeatures {
    victim: Victim,
    /// Of three channels.
    normalisation: Normalisation,
}

impl OwnFeatures {
    /// A square that the victim's input fits into.
    fn side(&self) -> usize {
        let [_, height, width] = self.victim.image_shape();
        height.max(width)
    }
}

impl Encoder for OwnFeatures {
    fn model(&self) -> String {
        format!("the victim's own features ({})", self.victim.model.describe())
    }

    fn head(&self) -> Head {
        Head { scale: 1.0, bias: None }
    }

    fn image_size(&self) -> usize {
        self.side()
    }

    fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// Pictures that are smaller get a black frame, as the victim's do.
    fn preprocess(&self, tape: &mut Tape, pixels: Var) -> Var {
        preprocess::framed(tape, pixels, self.side(), &self.normalisation)
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let [channels, height, width] = self.victim.image_shape();
        let (batch, side) = (tape.shape(pixels)[0], self.side());
        let mut x = tape.slice(
            pixels,
            &[0, 0, (side - height) / 2, (side - width) / 2],
            &[batch, CHANNELS, height, width],
        );
        if channels == 1 {
            let luma = tape.literal(&[1, CHANNELS, 1, 1], vec![0.299, 0.587, 0.114]);
            let weighted = tape.mul(x, luma);
            x = tape.sum(weighted, &[1]);
        }
        let x = tape.reshape(x, &[1, batch, channels, height, width]);
        let pass = self.victim.model.apply(tape, x, Mode::Eval);
        let d = tape.shape(pass.features)[2];
        let features = tape.reshape(pass.features, &[batch, d]);
        let read = before(tape, pass.features);
        let stored = pass.parameters.iter().map(|parameter| parameter.stored);
        let all = stored.zip(self.victim.tensors.iter().map(Vec::as_slice));
        (features, all.filter(|(var, _)| read.contains(var)).collect())
    }

    fn name_features(
        &self,
        _: &dyn Device,
        labels: &[String],
        _: &Templates,
        _: &dyn Watch,
    ) -> Result<NameFeatures, ClipError> {
        Err(ClipError::UnknownName {
            name: labels.first().cloned().unwrap_or_default(),
            model: self.model(),
            count: 0,
            nearest: "it knows names by examples alone".into(),
        })
    }
}

/// All that a variable is computed from.
fn before(tape: &Tape, var: Var) -> HashSet<Var> {
    let (mut seen, mut next) = (HashSet::new(), vec![var]);
    while let Some(var) = next.pop() {
        if seen.insert(var) {
            next.extend(tape.node(var).inputs.iter().copied());
        }
    }
    seen
}
