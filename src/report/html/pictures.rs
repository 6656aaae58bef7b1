//! Originals beside what was reconstructed of them.

use askama::Template;
use base64::{Engine, prelude::BASE64_STANDARD};

use super::number;
use crate::{
    data::Picture,
    metrics::{Comparison, mse, psnr},
    report::ReportError,
};

/// Pictures in a row that lines can be followed through; larger batches are shown pair by pair.
const ROW: usize = 8;
/// Reconstructions that a page shows: beyond, it is only heavy.
const MOST: usize = 256;
/// Heights between which the lines run, in units of the drawing.
const RISE: usize = 40;
/// Width of a column there.
const COLUMN: usize = 100;

/// Originals and reconstructions, batch by batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pictures {
    /// In order.
    pub batches: Vec<PictureBatch>,
}

/// The pictures of one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PictureBatch {
    /// `Batch 3`
    pub title: String,
    /// Empty where they are not known.
    pub originals: Vec<Original>,
    /// In the order in which the attack has them.
    pub reconstructions: Vec<Reconstructed>,
}

/// A picture of the client.
#[derive(Clone, Debug, PartialEq)]
pub struct Original {
    /// The picture itself.
    pub picture: Picture,
    /// Index of its class, as the eavesdropper sees it.
    pub label: Option<usize>,
    /// What its class is called.
    pub name: Option<String>,
}

/// A picture of the attack.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstructed {
    /// The picture itself, its pixels cut to [0, 1].
    pub picture: Picture,
    /// Which of the originals is assigned to it.
    pub original: Option<usize>,
    /// Index of its class.
    pub label: Option<usize>,
    /// What its index was read as.
    pub found: Option<String>,
    /// What its index stands for.
    pub truth: Option<String>,
    /// With the original assigned to it.
    pub ssim: Option<f64>,
    /// The same, in dB.
    pub psnr: Option<f64>,
}

impl PictureBatch {
    /// Pairs pictures as `comparison` does for SSIM. Names are the caller's to add.
    pub fn new(
        title: impl Into<String>,
        originals: &[Picture],
        reconstructions: &[Picture],
        comparison: &Comparison,
    ) -> PictureBatch {
        let pairs = reconstructions.iter().zip(&comparison.assignment_ssim);
        let reconstructions =
            pairs.zip(&comparison.ssim.per_image.one_to_one).map(|((picture, &original), &ssim)| {
                // The comparison's own PSNR may belong to another pairing.
                let error = originals.get(original).map(|o| mse(&picture.pixels, &o.pixels));
                Reconstructed {
                    original: Some(original),
                    ssim: Some(ssim).filter(|ssim| !ssim.is_nan()),
                    psnr: error.map(psnr),
                    ..Reconstructed::new(picture.clone())
                }
            });
        PictureBatch {
            title: title.into(),
            originals: originals.iter().cloned().map(Original::new).collect(),
            reconstructions: reconstructions.collect(),
        }
    }

    /// Where the originals are not known.
    pub fn alone(title: impl Into<String>, reconstructions: &[Picture]) -> PictureBatch {
        let reconstructions = reconstructions.iter().cloned().map(Reconstructed::new).collect();
        PictureBatch { title: title.into(), originals: vec![], reconstructions }
    }
}

impl Original {
    /// An original of which nothing else is known.
    pub fn new(picture: Picture) -> Original {
        Original { picture, label: None, name: None }
    }
}

impl Reconstructed {
    /// A reconstruction of which nothing else is known.
    pub fn new(picture: Picture) -> Reconstructed {
        Reconstructed {
            picture,
            original: None,
            label: None,
            found: None,
            truth: None,
            ssim: None,
            psnr: None,
        }
    }
}

impl Pictures {
    pub(super) fn reading(&self) -> &'static str {
        if self.batches.iter().all(|batch| batch.originals.is_empty()) {
            return "What was reconstructed from the gradient alone; the originals are not known here.";
        }
        "Above the client's pictures, below what was reconstructed from the gradient alone. A line joins each \
         to the original that it fits best, one to one: a gradient does not tell the order. SSIM is 1 for the \
         same picture and near 0 for an unrelated one."
    }

    pub(super) fn html(&self) -> Result<String, ReportError> {
        let mut room = MOST;
        let shown = self.batches.iter().take_while(|batch| {
            let fits = room > 0;
            room = room.saturating_sub(batch.reconstructions.len());
            fits
        });
        let batches = shown.map(Batch::of).collect::<Result<Vec<_>, ReportError>>()?;
        let left_out = self.batches.len() - batches.len();
        Ok(View { batches, left_out }.render()?)
    }
}

#[derive(Template)]
#[template(path = "pictures.html")]
struct View<'a> {
    batches: Vec<Batch<'a>>,
    left_out: usize,
}

struct Batch<'a> {
    title: &'a str,
    originals: Vec<Shown>,
    reconstructions: Vec<Shown>,
    /// Each reconstruction with its original: the pairs of a batch too large for two rows.
    pairs: Vec<(Option<Shown>, Shown)>,
    columns: usize,
    links: Vec<Link>,
}

/// A picture and what stands under it.
#[derive(Clone)]
struct Shown {
    source: String,
    alt: String,
    width: usize,
    height: usize,
    label: Option<usize>,
    name: Option<String>,
    /// Whether the name found is the true one.
    right: Option<bool>,
    /// The true name, where another was found.
    truth: Option<String>,
    scores: Vec<String>,
}

struct Link {
    colour: usize,
    from: usize,
    to: usize,
}

impl<'a> Batch<'a> {
    fn of(batch: &'a PictureBatch) -> Result<Batch<'a>, ReportError> {
        let originals = batch.originals.iter().enumerate().map(|(i, o)| Shown::original(i, o));
        let originals = originals.collect::<Result<Vec<_>, _>>()?;
        let reconstructions = batch.reconstructions.iter().enumerate().map(|(i, r)| Shown::found(i, r));
        let mut reconstructions = reconstructions.collect::<Result<Vec<_>, _>>()?;
        let columns = originals.len().max(reconstructions.len());
        let partners = || batch.reconstructions.iter().map(|r| r.original.filter(|&o| o < originals.len()));
        let centre = |column: usize| column * COLUMN + COLUMN / 2;
        let mut links = vec![];
        let mut pairs = vec![];
        if columns > ROW && !originals.is_empty() {
            pairs = partners().map(|o| o.map(|o| originals[o].clone())).zip(reconstructions).collect();
            reconstructions = vec![];
        } else {
            let joined = partners().enumerate().filter_map(|(i, original)| Some((i, original?)));
            links = joined
                .map(|(i, original)| Link { colour: original, from: centre(original), to: centre(i) })
                .collect();
        }
        Ok(Batch { title: &batch.title, originals, reconstructions, pairs, columns, links })
    }

    fn width(&self) -> usize {
        self.columns * COLUMN
    }

    fn rise(&self) -> usize {
        RISE
    }

    fn is_wrapped(&self) -> bool {
        self.columns > ROW
    }
}

impl Shown {
    fn original(index: usize, original: &Original) -> Result<Shown, ReportError> {
        let of = original.name.as_ref().map(|name| format!(": {name}")).unwrap_or_default();
        let mut shown = Shown::new(&original.picture, format!("original {index}{of}"))?;
        shown.label = original.label;
        shown.name = original.name.clone();
        Ok(shown)
    }

    fn found(index: usize, found: &Reconstructed) -> Result<Shown, ReportError> {
        let mut alt = format!("reconstruction {index}");
        if let Some(original) = found.original {
            alt += &format!(" of original {original}");
        }
        if let Some(name) = &found.found {
            alt += &format!(", read as {name}");
        }
        let mut shown = Shown::new(&found.picture, alt)?;
        shown.label = found.label;
        shown.name = found.found.clone();
        shown.right = found.found.as_ref().zip(found.truth.as_ref()).map(|(found, truth)| found == truth);
        shown.truth = found.truth.clone().filter(|_| shown.right != Some(true));
        shown.scores.extend(found.ssim.map(|ssim| format!("SSIM {}", number::fixed(ssim, 3))));
        shown.scores.extend(found.psnr.map(|psnr| format!("{} dB", number::fixed(psnr, 1))));
        Ok(shown)
    }

    fn new(picture: &Picture, alt: String) -> Result<Shown, ReportError> {
        Ok(Shown {
            source: format!("data:image/png;base64,{}", BASE64_STANDARD.encode(picture.to_png()?)),
            alt,
            width: picture.width,
            height: picture.height,
            label: None,
            name: None,
            right: None,
            truth: None,
            scores: vec![],
        })
    }
}
