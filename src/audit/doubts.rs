//! What a reconstruction says against what the eavesdropper took for granted: the gradient's length, the normalisation.

use super::Audit;
use crate::{
    attack::{config::Objective, invert::Reconstruction},
    data::{Normalisation, NormalisationPreset, Picture},
};

/// ‖g‖/‖g*‖ of a reconstruction whose length can be right, too.
const RATIOS: std::ops::RangeInclusive<f32> = 1e-2..=1e2;
/// A client's loss below this says that the victim is sure of the label.
const SURE: f32 = 1e-3;

/// How far beyond a box a restored pixel may lie that is of it, in pixels' own unit.
const BEYOND: f32 = 0.02;
/// Share of the pixels that may.
const STRAY: f64 = 0.01;
/// Pictures that fill a box reach so near to both of its ends, as a share of its width.
const NEAR: f32 = 0.3;

/// Share of the pixels at the ends of the box from which they pile up there.
const AT_THE_ENDS: f64 = 0.25;
/// At either of them: a black background is at one.
const AT_AN_END: f64 = 0.03;
/// A cosine distance from which pictures are not well matched.
const POOR: f32 = 5e-3;

/// Whether a reconstruction's gradient is of a length of its own.
pub(crate) fn is_of_another_length(audit: &Audit, ratio: f32) -> bool {
    // Of an update matched at a point between, only the direction counts.
    !audit.attack.surrogate && !RATIOS.contains(&ratio)
}

/// `loss`: the client's, where it is known.
pub(crate) fn of_length(audit: &Audit, found: &Reconstruction, loss: Option<f32>) -> Option<String> {
    let ratio = found.best().norm_ratio;
    if !is_of_another_length(audit, ratio) {
        return None;
    }
    let cause = match loss {
        Some(loss) if loss < SURE => format!(
            "the victim is sure of the labels (client loss {loss:.1e}), and such a gradient says little of the pictures"
        ),
        _ if ratio > 1.0 => {
            "the observed one is as short as an update that is read without its rate (--local-lr), or a saturated \
             victim's"
                .into()
        }
        _ => "the observed one is as long as a sum over many pictures, or noise".into(),
    };
    let times = if ratio.is_finite() { format!("{ratio:.1e}") } else { "infinitely many".into() };
    Some(format!(
        "the reconstruction's gradient is {times} times as long as the observed one: their directions are compared, \
         their lengths do not fit; {cause}"
    ))
}

/// Restored pixels that fill another normalisation's box, or pile up at the ends of their own.
pub(crate) fn of_normalisation(
    audit: &Audit,
    found: &Reconstruction,
    pictures: &[Picture],
) -> Option<String> {
    let used = &audit.normalisation;
    let narrower = [NormalisationPreset::None, NormalisationPreset::Half];
    let others = narrower.into_iter().filter(|other| Some(*other) != NormalisationPreset::of_values(used));
    if let Some(other) = others.into_iter().find(|&other| fills(used, other, pictures)) {
        return Some(format!(
            "the restored pixels fill the range of a client whose normalisation is '{other}', and no more: \
             --normalisation {other}, if that is the client's"
        ));
    }
    let cosine = matches!(
        audit.attack.objective,
        Objective::Cosine | Objective::CosineTop(_) | Objective::CosineLayerwise
    );
    let pixels = || pictures.iter().flat_map(|picture| &picture.pixels);
    let share = |at: &dyn Fn(f32) -> bool| {
        pixels().filter(|v| at(**v)).count() as f64 / pixels().count().max(1) as f64
    };
    let ends = [share(&|v| v <= 1e-3), share(&|v| v >= 1.0 - 1e-3)];
    let piled = ends[0] + ends[1] > AT_THE_ENDS && ends.iter().all(|share| *share > AT_AN_END);
    let wide = NormalisationPreset::Cifar10.of(used.mean().len());
    let wider = used.bounds().iter().zip(wide.bounds()).all(|(own, wide)| wide.0 < own.0 && own.1 < wide.1);
    (audit.attack.clamp && cosine && wider && piled && found.best().objective > POOR).then(|| {
        format!(
            "{:.0} % of the restored pixels lie at the ends of their range, and the gradients differ: the client's \
             normalisation may be wider, as 'cifar10' and 'imagenet' are",
            100.0 * (ends[0] + ends[1])
        )
    })
}

/// Whether pixels, restored with `used`, fill the range that [0, 1] has under another normalisation.
fn fills(used: &Normalisation, other: NormalisationPreset, pictures: &[Picture]) -> bool {
    let channels = used.mean().len();
    let (mut places, mut stray) = (vec![], 0);
    for (channel, (low, high)) in other.of(channels).bounds().into_iter().enumerate() {
        let [low, high] = [low, high].map(|x| x * used.std()[channel] + used.mean()[channel]);
        if low < BEYOND || high > 1.0 - BEYOND {
            return false;
        }
        let planes = pictures.iter().filter_map(|picture| picture.planes().nth(channel));
        for &pixel in planes.flatten() {
            stray += usize::from(pixel < low - BEYOND || pixel > high + BEYOND);
            places.push((pixel - low) / (high - low));
        }
    }
    if places.is_empty() || stray as f64 > STRAY * places.len() as f64 {
        return false;
    }
    places.sort_unstable_by(f32::total_cmp);
    let hundredth = places.len() / 100;
    places[hundredth] < NEAR && places[places.len() - 1 - hundredth] > 1.0 - NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels `low` to `high`, evenly, as a client's own normalisation and the assumed one leave them.
    fn restored(own: NormalisationPreset, used: &Normalisation, low: f32, high: f32) -> Picture {
        let channel = |c: usize| {
            (0..256).map(move |i| low + (high - low) * i as f32 / 255.0).map(move |p| {
                let x = (p - own.of(3).mean()[c]) / own.of(3).std()[c];
                (x * used.std()[c] + used.mean()[c]).clamp(0.0, 1.0)
            })
        };
        Picture::new(3, 16, 16, (0..3).flat_map(channel).collect()).unwrap()
    }

    #[test]
    fn the_range_of_the_pixels_tells_a_narrower_normalisation() {
        let used = Normalisation::default();
        use NormalisationPreset::{Cifar10, Half, Imagenet, None};
        for (own, filled) in
            [(Half, [false, true]), (None, [true, false]), (Cifar10, [false; 2]), (Imagenet, [false; 2])]
        {
            let pictures = [restored(own, &used, 0.0, 1.0), restored(own, &used, 0.1, 0.9)];
            assert_eq!([None, Half].map(|other| fills(&used, other, &pictures)), filled, "{own}");
        }
        // Of little contrast: nothing is said.
        let pale = [restored(Cifar10, &used, 0.45, 0.6)];
        assert!(![None, Half].into_iter().any(|other| fills(&used, other, &pale)));
        // Nothing is narrower than what is used.
        let raw = None.of(3);
        assert!(!fills(&raw, Half, &[restored(Half, &raw, 0.0, 1.0)]));
    }
}
