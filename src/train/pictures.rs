//! A data set decoded once, eight bits a value.

use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::{
    data::{DataError, Dataset, Normalisation, add_name},
    device::{DeviceError, host},
    random,
    spelling::choices,
};

choices! {
    /// One of two halves of all pictures, which have none in common and are the same for every seed.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Half {
        /// The one
        First = "first",
        /// The other
        Second = "second",
    }
}

/// Labelled pictures of one shape in memory.
#[derive(Clone, Debug)]
pub struct Pictures {
    /// `[C, H, W]`
    pub shape: [usize; 3],
    /// `(N,C,H,W)`
    pub bytes: Vec<u8>,
    /// `(N)`, each below the class count.
    pub labels: Vec<usize>,
    /// `(K)`: the network's classes, in order.
    pub class_names: Vec<String>,
    /// The data sets that they come from, in order; their lengths sum to `N`.
    pub parts: Vec<Part>,
}

/// Pictures of one data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As the user gave it.
    pub name: String,
    /// How many pictures it has.
    pub len: usize,
    /// How often each picture is shown in an epoch: with 0.5, half of them, drawn anew for each epoch.
    pub share: f64,
    /// What the data set's own classes are in [`Pictures::class_names`].
    pub classes: Vec<usize>,
}

/// Why a data set cannot be learned from.
#[derive(Debug, thiserror::Error)]
pub enum PicturesError {
    /// A picture cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The pictures do not fit into memory.
    #[error(transparent)]
    Memory(#[from] DeviceError),
    /// A picture has a class that the network does not have.
    #[error("data set {dataset}: picture {index} has label {label}, the network has {classes} classes")]
    Label {
        /// Its data set.
        dataset: String,
        /// Its place in it.
        index: usize,
        /// Its class.
        label: usize,
        /// Classes of the network.
        classes: usize,
    },
}

impl Pictures {
    /// Decodes a data set for a network of this input and class count. With a limit, so many pictures evenly
    /// spaced over the data set, so that class folders stay balanced.
    pub fn read(
        dataset: &Dataset,
        shape: [usize; 3],
        classes: usize,
        limit: Option<usize>,
    ) -> Result<Pictures, PicturesError> {
        let count = limit.map_or(dataset.len(), |limit| limit.min(dataset.len()));
        let length = shape.iter().copied().fold(1, usize::saturating_mul);
        let what = || format!("{count} pictures of data set {} as {shape:?} (C, H, W)", dataset.name);
        host::check(what, (count as u64).saturating_mul(length as u64))?;
        let chosen: Vec<usize> = (0..count).map(|i| i * dataset.len() / count).collect();
        let labels: Vec<usize> = chosen.iter().map(|&i| dataset.labels()[i]).collect();
        if let Some(at) = labels.iter().position(|&label| label >= classes) {
            let (index, label, dataset) = (chosen[at], labels[at], dataset.name.clone());
            return Err(PicturesError::Label { dataset, index, label, classes });
        }
        let mut bytes = vec![0; count * length];
        let pictures = bytes.par_chunks_mut(length).zip(&chosen);
        pictures.try_for_each(|(to, &index)| -> Result<(), DataError> {
            let picture = dataset.picture_as(index, shape)?;
            to.iter_mut().zip(picture.pixels).for_each(|(to, value)| *to = to_byte(value));
            Ok(())
        })?;
        let class_names = dataset.class_names.clone();
        let own = (0..class_names.len()).collect();
        let part = Part { name: dataset.name.clone(), len: count, share: 1.0, classes: own };
        Ok(Pictures { shape, bytes, labels, class_names, parts: vec![part] })
    }

    /// All pictures of several data sets, of one shape. A name that two of them have is one class.
    pub fn join(sets: Vec<Pictures>) -> Pictures {
        let shape = sets[0].shape;
        let mut all = Pictures { shape, bytes: vec![], labels: vec![], class_names: vec![], parts: vec![] };
        for set in sets {
            let classes = set.class_names.iter().map(|name| add_name(&mut all.class_names, name));
            let classes: Vec<usize> = classes.collect();
            all.bytes.extend(set.bytes);
            all.labels.extend(set.labels.iter().map(|&label| classes[label]));
            let parts = set.parts.into_iter();
            all.parts.extend(parts.map(|part| Part {
                classes: part.classes.iter().map(|&class| classes[class]).collect(),
                ..part
            }));
        }
        all
    }

    /// All but every `n`-th picture of one data set, and these.
    pub fn split(&self, n: usize) -> (Pictures, Pictures) {
        let every = n.max(2);
        let of = |is: fn(usize) -> bool| {
            let chosen: Vec<usize> = (0..self.len()).filter(|i| is((i + 1) % every)).collect();
            let labels: Vec<usize> = chosen.iter().map(|&i| self.labels[i]).collect();
            let part = Part { len: chosen.len(), ..self.parts[0].clone() };
            let bytes = chosen.iter().flat_map(|&i| self.picture(i)).copied().collect();
            Pictures { bytes, labels, parts: vec![part], class_names: self.class_names.clone(), ..*self }
        };
        (of(|rest| rest != 0), of(|rest| rest == 0))
    }

    /// So many pictures of all at most, evenly spaced.
    pub fn some(&self, most: usize) -> Pictures {
        let count = most.min(self.len());
        self.picked(&(0..count).map(|i| i * self.len() / count).collect::<Vec<_>>())
    }

    /// Half the pictures of each data set, whatever the seed: two models that learned from other halves share none.
    pub fn half(&self, half: Half) -> Pictures {
        let (mut chosen, mut first) = (vec![], 0);
        for (index, part) in self.parts.iter().enumerate() {
            let mut order: Vec<usize> = (first..first + part.len).collect();
            first += part.len;
            order.shuffle(&mut random::generator(0, &format!("halves of data set {index}")));
            let (one, other) = order.split_at(part.len.div_ceil(2));
            chosen.extend(if half == Half::First { one } else { other });
        }
        chosen.sort_unstable();
        self.picked(&chosen)
    }

    /// These, in rising order.
    fn picked(&self, chosen: &[usize]) -> Pictures {
        let mut end = 0;
        let parts = self.parts.iter().map(|part| {
            let own = end..end + part.len;
            end = own.end;
            Part { len: chosen.iter().filter(|i| own.contains(i)).count(), ..part.clone() }
        });
        Pictures {
            parts: parts.collect(),
            bytes: chosen.iter().flat_map(|&i| self.picture(i)).copied().collect(),
            labels: chosen.iter().map(|&i| self.labels[i]).collect(),
            class_names: self.class_names.clone(),
            shape: self.shape,
        }
    }

    /// Pictures that an epoch shows.
    pub fn shown(&self) -> usize {
        self.parts.iter().map(Part::shown).sum()
    }

    /// How many pictures there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Picture `index` `(C,H,W)`.
    pub fn picture(&self, index: usize) -> &[u8] {
        let length = self.shape.iter().product::<usize>();
        &self.bytes[index * length..][..length]
    }

    /// A number that another data set is unlikely to have.
    pub fn checksum(&self) -> u32 {
        let mut crc = flate2::Crc::new();
        crc.update(&self.bytes);
        self.labels.iter().for_each(|label| crc.update(&(*label as u64).to_le_bytes()));
        crc.sum()
    }
}

impl Part {
    /// Pictures that an epoch shows.
    pub fn shown(&self) -> usize {
        (self.len as f64 * self.share).round() as usize
    }
}

fn to_byte(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// What each byte becomes in each channel.
#[derive(Clone)]
pub(crate) struct Levels(Vec<[f32; 256]>);

impl Levels {
    pub(crate) fn new(normalisation: &Normalisation) -> Levels {
        let channel =
            |(&mean, &std): (&f32, &f32)| std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
        Levels(normalisation.mean().iter().zip(normalisation.std()).map(channel).collect())
    }

    /// Bytes as pixels in [0, 1], for as many channels.
    pub(crate) fn plain(&self) -> Levels {
        Levels(vec![std::array::from_fn(|byte| byte as f32 / 255.0); self.0.len()])
    }

    /// Pixels in [0, 1], `(C,H,W)`, as the network sees them.
    pub(crate) fn normalise(&self, pixels: &mut [f32]) {
        let plane = pixels.len() / self.0.len();
        for (plane, levels) in pixels.chunks_mut(plane).zip(&self.0) {
            let (low, range) = (levels[0], levels[255] - levels[0]);
            plane.iter_mut().for_each(|v| *v = low + *v * range);
        }
    }

    /// Of channel `channel`.
    pub(crate) fn channel(&self, channel: usize) -> &[f32; 256] {
        &self.0[channel]
    }

    /// A picture `(C,H,W)` as the network sees it.
    pub(crate) fn write(&self, picture: &[u8], to: &mut [f32]) {
        let plane = picture.len() / self.0.len();
        for ((from, to), levels) in picture.chunks(plane).zip(to.chunks_mut(plane)).zip(&self.0) {
            from.iter().zip(to).for_each(|(&byte, to)| *to = levels[usize::from(byte)]);
        }
    }
}
