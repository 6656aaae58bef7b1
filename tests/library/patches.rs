//! A vision transformer's picture from its gradient, exactly.

use std::sync::Arc;

use gia_gpu::{
    attack::patches::{PatchError, picture},
    device::cpu::Cpu,
    federated::{Protocol, Request, Victim, client},
    nn::graph::Graph,
    random,
};

use crate::graph::path;

/// PSNR of pixels in [0, 1], were the picture's values those.
fn psnr(found: &[f32], expected: &[f32]) -> f64 {
    let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
    let mean = found.iter().zip(expected).map(square).sum::<f64>() / found.len() as f64;
    -10.0 * mean.log10()
}

/// The least PSNR over pictures of noise, which are the hardest: nothing about them can be guessed.
fn worst(victim: &Victim, pictures: u64) -> f64 {
    let [c, h, w] = victim.image_shape();
    let one = |seed| {
        let image = random::uniform(&mut random::generator(seed, "picture"), 0.5, c * h * w);
        let image: Vec<f32> = image.into_iter().map(|v| v + 0.5).collect();
        let label = seed as usize % victim.model.classes;
        let sent =
            client::update(&Cpu::<f32>::new(), victim, &Protocol::default(), &image, &[label]).unwrap();
        let found = picture(victim, &sent.gradient, 1).unwrap();
        assert_eq!(
            (found.rank, found.tokens),
            (found.tokens, found.tokens),
            "condition {:.0}",
            found.condition
        );
        let psnr = psnr(&found.picture, &image);
        println!("{seed}: {psnr:.1} dB, condition {:.0}", found.condition);
        psnr
    };
    (0..pictures).map(one).fold(f64::INFINITY, f64::min)
}

#[test]
fn every_pixel_of_an_untrained_vit_is_found() {
    let victim = Victim::from_seed(&Request::named("vit_tiny"), 4).unwrap();
    let found = worst(&victim, 20);
    assert!(found >= 60.0, "{found:.1} dB");
}

#[test]
fn the_embedding_of_an_exported_network_is_found_in_its_graph() {
    for file in ["vit.pt2", "vit.onnx", "vit_traced.onnx"] {
        let graph = Arc::new(Graph::read(&path(file)).unwrap());
        let request = Request { image: Some(graph.image), graph: Some(graph), ..Request::named(file) };
        let victim = Victim::from_seed(&request, 0).unwrap();
        let embedding = victim.model.patch_embedding().unwrap_or_else(|| panic!("{file} has none"));
        assert_eq!(embedding.positions, "encoder.pos_embedding");
        assert_eq!((embedding.first, embedding.patch), (1, [4, 4]));
        // 16 patches, 16 wide: what passes a layer norm has one direction less.
        let image = vec![0.3; victim.image_shape().iter().product()];
        let sent = client::update(&Cpu::<f32>::new(), &victim, &Protocol::default(), &image, &[3]).unwrap();
        let found = picture(&victim, &sent.gradient, 1).unwrap();
        assert_eq!((found.tokens, found.rank), (16, 15), "{file}");
    }
}

#[test]
fn what_cannot_be_found_so_is_refused() {
    let vit = Victim::from_seed(&Request::named("vit_tiny"), 4).unwrap();
    let zeros: Vec<Vec<f32>> =
        vit.gradient_specs().iter().map(|s| vec![0.0; s.shape.iter().product()]).collect();
    assert!(matches!(picture(&vit, &zeros, 2), Err(PatchError::Batch(2))));
    assert!(matches!(picture(&vit, &zeros, 1), Err(PatchError::Zero(_))));
    let mlp = Victim::from_seed(&Request::named("mlp"), 4).unwrap();
    assert!(matches!(picture(&mlp, &[], 1), Err(PatchError::NoEmbedding)));
}
