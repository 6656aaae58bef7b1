use gia_gpu::data::{Normalisation, Picture};

use super::message;

#[test]
fn denormalising_undoes_normalising_and_the_box_is_the_image_of_zero_to_one() {
    let normalisation = Normalisation::default();
    let bounds = normalisation.bounds();
    let ends: [Vec<f32>; 2] = [bounds.iter().map(|b| b.0).collect(), bounds.iter().map(|b| b.1).collect()];
    for (value, ends) in [0.0, 1.0].into_iter().zip(ends) {
        let pictures = vec![Picture::flat(3, 2, 2, value).unwrap(); 2];
        let batch = normalisation.normalise(&pictures).unwrap();
        assert_eq!(batch.len(), 24);
        for (index, found) in batch.iter().enumerate() {
            assert!((found - ends[index / 4 % 3]).abs() < 1e-6);
        }
        let back = normalisation.denormalise(&batch, 2, 2).unwrap();
        assert!(back.iter().flat_map(|picture| &picture.pixels).all(|found| (found - value).abs() < 1e-6));
    }
    assert_eq!(normalisation.mean(), [0.4914, 0.4822, 0.4465]);
    assert_eq!(normalisation.std(), [0.2470, 0.2435, 0.2616]);
}

#[test]
fn denormalised_values_outside_the_box_are_clamped() {
    let pictures = Normalisation::default().denormalise(&[9.0; 12], 2, 2).unwrap();
    assert_eq!(pictures[0].pixels, [1.0; 12]);
}

#[test]
fn normalisations_are_parsed_and_refused() {
    let parsed = Normalisation::parse("0.49, 0.48,0.45", "0.2,0.2,0.2").unwrap();
    assert_eq!(parsed.mean(), [0.49, 0.48, 0.45]);
    message(Normalisation::parse("0.5", "0"), "above 0");
    message(Normalisation::parse("0.5", "-1"), "above 0");
    message(Normalisation::parse("0.5", "inf"), "above 0");
    message(Normalisation::parse("nan", "1"), "finite");
    message(Normalisation::parse("0.5,0.5", "1"), "per channel");
    message(Normalisation::parse("", "1"), "commas");
    message(Normalisation::parse("0.5;0.5", "1,1"), "0.5;0.5");
    assert!(serde_json::from_str::<Normalisation>(r#"{"mean": [0.5], "std": [0.0]}"#).is_err());
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let normalisation = Normalisation::default();
    message(normalisation.normalise(&[Picture::flat(1, 4, 4, 0.5).unwrap()]), "1, one per channel");
    let pictures = [Picture::flat(3, 4, 4, 0.5).unwrap(), Picture::flat(3, 4, 5, 0.5).unwrap()];
    message(normalisation.normalise(&pictures), "[3, 4, 5]");
    message(normalisation.denormalise(&[0.0; 13], 2, 2), "13");
    message(normalisation.denormalise(&[0.0; 12], 0, 2), "0×2");
    assert!(normalisation.normalise(&[]).unwrap().is_empty());
}
