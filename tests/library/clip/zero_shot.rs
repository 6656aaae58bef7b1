//! Naming with an encoder whose every number is known.

use gia_gpu::{
    clip::{
        ClipError, Templates,
        zero_shot::{Names, name_pictures},
    },
    data::Picture,
    device::cpu::Cpu,
    watch::Silent,
};

use crate::colours::Colours;

fn name(labels: &[&str], pictures: Vec<Picture>) -> Result<Names, ClipError> {
    let encoder = Colours::new();
    let labels: Vec<String> = labels.iter().map(|label| label.to_string()).collect();
    let pictures = pictures.into_iter().enumerate().map(|(i, picture)| (format!("picture {i}"), Ok(picture)));
    let templates = Templates::plain();
    name_pictures(&Cpu::<f32>::new(), &encoder, &labels, &templates, pictures, &Silent)
}

fn flat(colour: [f32; 3], height: usize, width: usize) -> Picture {
    let pixels = colour.iter().flat_map(|&value| vec![value; height * width]).collect();
    Picture::new(3, height, width, pixels).unwrap()
}

#[test]
fn probabilities_are_the_softmax_of_scaled_cosines_in_the_order_given() {
    // More pictures than a run holds, of several sizes.
    let pictures: Vec<Picture> = (0..40)
        .map(|i| {
            let mut colour = [0.3; 3];
            colour[i % 3] = 0.6;
            flat(colour, 2 + i % 5, 3 + i % 7)
        })
        .collect();
    let found = name(&["red", " green", "blue"], pictures).unwrap();
    assert_eq!(found.labels, ["red", "green", "blue"]);
    assert_eq!(found.probabilities.len(), 40);
    let (own, other) = (0.6 / 0.54f64.sqrt(), 0.3 / 0.54f64.sqrt());
    let expected = 1.0 / (1.0 + 2.0 * (10.0 * (other - own)).exp());
    for (i, (probabilities, cosine)) in found.probabilities.iter().zip(&found.cosine).enumerate() {
        assert!((cosine[i % 3] - own).abs() < 1e-6 && (cosine[(i + 1) % 3] - other).abs() < 1e-6);
        assert!((probabilities[i % 3] - expected).abs() < 1e-5, "{probabilities:?}");
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}

#[test]
fn labels_and_pictures_that_make_no_sense_are_refused() {
    let grey = || vec![flat([0.5; 3], 8, 8)];
    let message = |result: Result<Names, ClipError>| result.map(drop).expect_err("an error").to_string();
    assert_eq!(message(name(&["red", " "], grey())), "label 2 is empty");
    assert!(message(name(&["red", "blue", "Red"], grey())).contains("\"Red\" stands twice, at 1 and 3"));
    assert!(message(name(&[], grey())).contains("no labels"));
    let small = message(name(&["red"], vec![flat([0.5; 3], 1, 1)]));
    assert!(small.contains("picture 0: 1×1 pixels, expected at least 2×2"), "{small}");
    // A black picture has no direction.
    assert!(message(name(&["red"], vec![flat([0.0; 3], 8, 8)])).contains("picture 0"));
}

#[test]
fn templates_are_clips_eighty_or_a_files() {
    let imagenet = Templates::imagenet();
    assert_eq!(imagenet.len(), 80);
    let prompts: Vec<String> = imagenet.prompts("tench").collect();
    assert_eq!(
        (prompts[0].as_str(), prompts[79].as_str()),
        ("a bad photo of a tench.", "a tattoo of the tench.")
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("templates.txt");
    std::fs::write(&path, "a {} here\n\n  {}  \n").unwrap();
    let own: Vec<String> = Templates::read(&path).unwrap().prompts("cat").collect();
    assert_eq!(own, ["a cat here", "cat"]);
    for (text, words) in [("a {}\nno place\n", "line 2"), ("\n \n", "no templates"), ("{} and {}", "line 1")]
    {
        std::fs::write(&path, text).unwrap();
        let message = Templates::read(&path).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}
