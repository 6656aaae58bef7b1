//! How the reconstructions came about, for people to look at.

use super::{Audit, AuditError, Outcome};
use crate::{
    attack::invert::Reconstruction,
    data::Picture,
    report::html::{Film, Section, Strip},
};

/// Pictures of one batch after so many iterations of the restart that was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Iterations done by then.
    pub iteration: usize,
    /// `B`
    pub pictures: Vec<Picture>,
}

impl Audit {
    /// Of every batch, the first iterate first and the reconstruction last; only that where it was computed at once.
    ///
    /// # Errors
    /// Pictures that the normalisation is not of.
    pub fn film(&self, outcome: &Outcome) -> Result<Vec<Vec<Frame>>, AuditError> {
        outcome.found.iter().map(|found| self.film_of(found)).collect()
    }

    fn film_of(&self, found: &Reconstruction) -> Result<Vec<Frame>, AuditError> {
        let [_, height, width] = self.victim.image_shape();
        let best = found.best();
        let last = best.history.len().saturating_sub(1);
        let frames = best.film.iter().map(|frame| (frame.iteration, &frame.images));
        let frames = frames.chain([(last, &best.images)]).map(|(iteration, images)| {
            let pictures = self.normalisation.denormalise(images, height, width)?;
            Ok(Frame { iteration, pictures })
        });
        frames.collect()
    }
}

/// Pictures that an animation shows, at most.
const ANIMATED: usize = 32;

/// The first pictures of all batches side by side, a frame a moment: a batch that has fewer stands still in the end.
pub(crate) fn animation(film: &[Vec<Frame>]) -> Vec<Vec<Picture>> {
    let length = film.iter().map(Vec::len).max().unwrap_or(0);
    let at = |moment: usize| {
        let now = |frames: &Vec<Frame>| frames.get(moment).or(frames.last()).map(|f| f.pictures.clone());
        film.iter().filter_map(now).flatten().take(ANIMATED).collect()
    };
    (0..length).map(at).collect()
}

/// Pictures that a page shows as they come about.
const STRIPS: usize = 6;

/// How the first pictures came about; nothing where they were computed at once.
pub(crate) fn section(film: &[Vec<Frame>]) -> Option<Section> {
    let moving = || film.iter().enumerate().filter(|(_, frames)| frames.len() > 1);
    let of = |(number, frames): (usize, &Vec<Frame>)| {
        let count = frames[0].pictures.len();
        let strip = |picture: usize| Strip {
            title: if count == 1 {
                format!("batch {number}")
            } else {
                format!("batch {number}, picture {picture}")
            },
            frames: frames
                .iter()
                .map(|frame| (frame.pictures[picture].clone(), format!("after {}", frame.iteration)))
                .collect(),
        };
        (0..count).map(strip).collect::<Vec<_>>()
    };
    let strips: Vec<Strip> = moving().flat_map(of).take(STRIPS).collect();
    if strips.is_empty() {
        return None;
    }
    let all: usize = moving().map(|(_, frames)| frames[0].pictures.len()).sum();
    let shown = strips.len();
    let section = Section::new("How they came about", Film { strips });
    Some(if shown < all { section.note(format!("The first {shown} of {all} pictures.")) } else { section })
}
