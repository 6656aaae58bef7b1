//! A naming model whose every number is known.

use gia_gpu::{
    clip::{ClipError, Encoder, Head, NameFeatures, Templates},
    data::Normalisation,
    device::Device,
    tape::{Tape, Var},
    watch::Watch,
};

pub(crate) const COLOURS: [&str; 3] = ["red", "green", "blue"];

/// Features are the mean of each colour; "red" means red alone, and so on.
pub(crate) struct Colours(Normalisation);

impl Colours {
    pub(crate) fn new() -> Colours {
        Colours(Normalisation::new(vec![0.0; 3], vec![1.0; 3]).unwrap())
    }
}

impl Encoder for Colours {
    fn model(&self) -> String {
        "colours".into()
    }

    fn head(&self) -> Head {
        Head { scale: 10.0, bias: None }
    }

    fn image_size(&self) -> usize {
        4
    }

    fn normalisation(&self) -> &Normalisation {
        &self.0
    }

    fn encode_image<'w>(&'w self, tape: &mut Tape, pixels: Var) -> (Var, Vec<(Var, &'w [f32])>) {
        let batch = tape.shape(pixels)[0];
        let mean = tape.mean(pixels, &[2, 3]);
        (tape.reshape(mean, &[batch, 3]), vec![])
    }

    fn name_features(
        &self,
        _: &dyn Device,
        labels: &[String],
        _: &Templates,
        _: &dyn Watch,
    ) -> Result<NameFeatures, ClipError> {
        let row = |label: &String| COLOURS.map(|colour| f32::from(u8::from(colour == label)));
        Ok(NameFeatures { vectors: labels.iter().flat_map(row).collect(), notes: vec![] })
    }
}
