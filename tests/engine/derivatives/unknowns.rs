//! What an attack moves and what names look at: a pyramid's pictures, and copies of pictures.

use gia_gpu::{
    attack::{looks::looks, pyramid::Pyramid, unknown::Unknown},
    data::Normalisation,
    tape::{Tape, Var},
};

use super::support::check;

#[test]
fn a_pyramids_pictures_follow_all_its_levels() {
    for image in [[3, 8, 8], [1, 5, 6]] {
        let normalisation = Normalisation::default().for_channels(image[0]);
        let pyramid = Pyramid { batch: 2, image, normalisation };
        let shapes: Vec<Vec<usize>> =
            pyramid.variables().into_iter().map(|v| [&[2], &v.shape[..]].concat()).collect();
        let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
        check("pyramid", &shapes, |tape, levels| pyramid.picture(tape, levels, &[]));
    }
}

#[test]
fn copies_follow_their_pictures() {
    let copies = |tape: &mut Tape, x: Var, now: f64| {
        let now = tape.literal(&[1], vec![now]);
        looks(tape, x, 2, 3, 5, now)
    };
    for now in [0.0, 17.0] {
        check("looks", &[&[4, 3, 8, 16]], |tape, x| copies(tape, x[0], now));
        // As a name sees them: not as a sum of pictures.
        check("squares of looks", &[&[4, 3, 8, 8]], |tape, x| {
            let seen = copies(tape, x[0], now);
            tape.mul(seen, seen)
        });
    }
}
