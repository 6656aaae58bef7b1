//! What one epoch shows: every picture once, in an order and from a view drawn for this epoch alone, so that
//! a resumed training sees what an uninterrupted one does.

use rand::{RngExt, seq::SliceRandom};

use rayon::prelude::*;

use super::{Degradation, Pictures, Recipe, pictures::Levels};
use crate::random;

/// An epoch's order and views.
pub(crate) struct Epoch {
    order: Vec<usize>,
    views: Vec<View>,
}

/// A picture cut out of its surroundings of black pixels, perhaps mirrored, perhaps degraded.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct View {
    /// Rows and columns that the picture moves down and to the right.
    shift: [isize; 2],
    mirrored: bool,
    degradation: Option<Degradation>,
}

/// A picture moves by up to this part of its side: 4 pixels of 32, as is usual for CIFAR-10.
const LARGEST_SHIFT: usize = 8;

impl Epoch {
    /// Draws epoch `epoch`, counted from 0.
    pub(crate) fn draw(recipe: &Recipe, pictures: &Pictures, epoch: usize) -> Epoch {
        let mut order = chosen(recipe.seed, pictures, epoch);
        order.shuffle(&mut random::generator(recipe.seed, &format!("order of epoch {epoch}")));
        let mut generator = random::generator(recipe.seed, &format!("views of epoch {epoch}"));
        let [_, height, width] = pictures.shape;
        let mut view = || {
            let mut shift = |side: usize| {
                let most = (side / LARGEST_SHIFT) as i32;
                generator.random_range(-most..=most) as isize
            };
            View { shift: [shift(height), shift(width)], mirrored: generator.random(), degradation: None }
        };
        let mut views = match recipe.augment {
            true => order.iter().map(|_| view()).collect(),
            false => vec![View::default(); order.len()],
        };
        let mut generator = random::generator(recipe.seed, &format!("degradations of epoch {epoch}"));
        for view in &mut views {
            let degraded = recipe.degraded > 0.0 && generator.random_bool(recipe.degraded);
            view.degradation = degraded.then(|| Degradation::draw(&mut generator));
        }
        Epoch { order, views }
    }

    /// Batch `index` as the network sees it: images `(B,C,H,W)` into `images`, and their labels.
    pub(crate) fn batch(
        &self,
        pictures: &Pictures,
        levels: &Levels,
        index: usize,
        batch: usize,
        images: &mut [f32],
    ) -> Vec<usize> {
        let range = index * batch..(index + 1) * batch;
        let shown = self.order[range.clone()].iter().zip(&self.views[range]);
        let both: Vec<(usize, View)> = shown.clone().map(|(&picture, &view)| (picture, view)).collect();
        let length = images.len() / batch;
        both.into_par_iter().zip(images.par_chunks_mut(length)).for_each(|((picture, view), to)| {
            view.write(pictures.picture(picture), pictures.shape, levels, to);
        });
        shown.map(|(&picture, _)| pictures.labels[picture]).collect()
    }
}

/// Indices of the pictures that an epoch shows, part by part.
fn chosen(seed: u64, pictures: &Pictures, epoch: usize) -> Vec<usize> {
    let mut all = Vec::with_capacity(pictures.shown());
    let mut first = 0;
    for (index, part) in pictures.parts.iter().enumerate() {
        let mut own: Vec<usize> = (first..first + part.len).collect();
        first += part.len;
        let (whole, rest) = (part.shown() / part.len.max(1), part.shown() % part.len.max(1));
        (0..whole).for_each(|_| all.extend(&own));
        if rest > 0 {
            own.shuffle(&mut random::generator(seed, &format!("part {index} of epoch {epoch}")));
            all.extend(&own[..rest]);
        }
    }
    all
}

impl View {
    /// `from (C,H,W)` → `to (C,H,W)`, normalised.
    fn write(self, from: &[u8], shape: [usize; 3], levels: &Levels, to: &mut [f32]) {
        let Some(degradation) = self.degradation else { return self.place(from, shape, levels, to) };
        self.place(from, shape, &levels.plain(), to);
        degradation.apply(to, shape);
        levels.normalise(to);
    }

    /// The same without degradation.
    fn place(self, from: &[u8], [_, height, width]: [usize; 3], levels: &Levels, to: &mut [f32]) {
        let plane = height * width;
        for (channel, (from, to)) in from.chunks(plane).zip(to.chunks_mut(plane)).enumerate() {
            let levels = levels.channel(channel);
            for (y, to) in to.chunks_mut(width).enumerate() {
                let row = y.checked_add_signed(-self.shift[0]).filter(|&row| row < height);
                let row = row.map(|row| &from[row * width..][..width]);
                for (x, to) in to.iter_mut().enumerate() {
                    let x = if self.mirrored { width - 1 - x } else { x };
                    let column = x.checked_add_signed(-self.shift[1]);
                    let byte = row.and_then(|row| row.get(column?)).copied().unwrap_or(0);
                    *to = levels[usize::from(byte)];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Normalisation;

    /// Normalised so that bytes stay as they are.
    fn seen(view: View) -> Vec<u8> {
        let levels = Levels::new(&Normalisation::new(vec![0.0], vec![1.0 / 255.0]).unwrap());
        let mut to = [0.0; 9];
        view.write(&[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3], &levels, &mut to);
        to.iter().map(|v| v.round() as u8).collect()
    }

    #[test]
    fn views_shift_in_black_and_mirror() {
        assert_eq!(seen(View::default()), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(seen(View { shift: [1, -1], ..View::default() }), [0, 0, 0, 2, 3, 0, 5, 6, 0]);
        assert_eq!(
            seen(View { shift: [0, 1], mirrored: true, ..View::default() }),
            [2, 1, 0, 5, 4, 0, 8, 7, 0]
        );
    }

    fn pictures(lens: [usize; 2], shares: [f64; 2]) -> Pictures {
        let part = |i: usize| crate::train::Part {
            name: i.to_string(),
            len: lens[i],
            share: shares[i],
            classes: vec![0],
        };
        let labels = vec![0; lens.iter().sum()];
        let parts = vec![part(0), part(1)];
        Pictures { shape: [1, 16, 16], bytes: vec![], labels, class_names: vec![], parts }
    }

    #[test]
    fn an_epoch_shows_each_data_set_as_often_as_its_share_says() {
        let pictures = pictures([40, 20], [0.25, 1.5]);
        let epochs = [0, 1].map(|epoch| chosen(7, &pictures, epoch));
        for shown in &epochs {
            let of = |range: std::ops::Range<usize>| shown.iter().filter(|i| range.contains(i)).count();
            assert_eq!((of(0..40), of(40..60)), (10, 30));
            let once = (0..40).all(|i| shown.iter().filter(|&&j| j == i).count() <= 1);
            assert!(once && (40..60).all(|i| shown.contains(&i)));
        }
        assert_ne!(epochs[0], epochs[1]);
    }

    #[test]
    fn the_share_of_degraded_pictures_is_as_asked() {
        let recipe = Recipe { degraded: 0.3, ..Recipe::default() };
        let epoch = Epoch::draw(&recipe, &pictures([1000, 0], [1.0, 1.0]), 0);
        let degraded = epoch.views.iter().filter(|view| view.degradation.is_some()).count();
        assert!((250..350).contains(&degraded), "{degraded}");
    }

    #[test]
    fn every_epoch_shows_every_picture_once_in_its_own_order_and_views() {
        let recipe = Recipe { augment: true, ..Recipe::default() };
        let pictures = pictures([100, 0], [1.0, 1.0]);
        let [a, again, b] = [0, 0, 1].map(|epoch| Epoch::draw(&recipe, &pictures, epoch));
        assert!(a.order == again.order && a.views == again.views);
        assert!(a.order != b.order && a.views != b.views);
        let mut sorted = b.order;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
        let shifts = a.views.iter().flat_map(|v| v.shift);
        assert!(shifts.clone().min() == Some(-2) && shifts.max() == Some(2));
    }
}
