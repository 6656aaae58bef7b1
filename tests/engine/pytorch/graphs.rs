//! Networks from files of `torch.export`: what the client computes with them and the second order, as PyTorch does.

use gia_gpu::nn::{Mode, Model, Options, vit::Vit};

use super::{
    families::{ALL, BOTH, Depth, check, check_family},
    family::{Family, graph_model},
};

#[test]
fn networks_of_torchvision_with_batch_norm() {
    for name in [
        "resnet",
        "vgg_bn",
        "mobilenet_v2",
        "mobilenet_v3",
        "densenet121",
        "efficientnet_b0",
        "shufflenet_v2",
        "regnet_y",
    ] {
        check(&format!("graph_{name}"), Mode::Eval, ALL);
        check(&format!("graph_{name}"), Mode::Train, ALL);
    }
}

#[test]
fn networks_with_layer_norm_and_attention() {
    check("graph_convnext_tiny", Mode::Eval, ALL);
    check("graph_vit", Mode::Eval, ALL);
}

#[test]
fn networks_that_users_write() {
    check("graph_quickstart", Mode::Eval, ALL);
    check("graph_custom", Mode::Eval, ALL);
    check("graph_custom", Mode::Train, ALL);
    check("graph_operations", Mode::Eval, ALL);
    check("graph_masks", Mode::Eval, ALL);
    check("graph_functions", Mode::Eval, ALL);
    check("graph_pixels", Mode::Eval, ALL);
    check("graph_averaged", Mode::Eval, ALL);
    check("graph_whole", Mode::Eval, ALL);
}

#[test]
fn the_registrys_vit_is_the_exported_one() {
    let vit = Vit { side: 16, patch: 4, width: 16, layers: 2, heads: 2, hidden: 32 };
    let model = Model::of(Box::new(vit), "vit", &Options::default(), None, 10).unwrap();
    let family = Family { model, ..Family::load("families/graph_vit") };
    let names =
        |model: &Model| model.declarations().into_iter().map(|d| (d.name, d.shape)).collect::<Vec<_>>();
    assert_eq!(names(&family.model), names(&graph_model("vit.pt2")));
    check_family(&family, Mode::Eval, ALL);
}

/// The same networks, from another file.
fn check_file(name: &str, file: &str, modes: &[Mode], depths: [Depth; 3]) {
    for &mode in modes {
        let family = Family { model: graph_model(file), ..Family::load(&format!("families/graph_{name}")) };
        check_family(&family, mode, depths);
    }
}

#[test]
fn networks_from_onnx() {
    const BOTH_MODES: &[Mode] = &[Mode::Eval, Mode::Train];
    let normed = [
        "resnet",
        "mobilenet_v2",
        "mobilenet_v3",
        "densenet121",
        "efficientnet_b0",
        "shufflenet_v2",
        "regnet_y",
    ];
    normed.into_iter().for_each(|name| check_file(name, &format!("{name}.onnx"), BOTH_MODES, ALL));
    for name in ["vit", "quickstart", "masks", "averaged", "whole"] {
        check_file(name, &format!("{name}.onnx"), &[Mode::Eval], ALL);
    }
    check_file("custom", "custom.onnx", BOTH_MODES, ALL);
    check_file("mobilenet_v2", "mobilenet_v2_traced.onnx", BOTH_MODES, ALL);
    check_file("efficientnet_b0", "efficientnet_b0_traced.onnx", BOTH_MODES, ALL);
    check_file("convnext_tiny", "convnext_tiny_traced.onnx", &[Mode::Eval], ALL);
    check_file("vit", "vit_traced.onnx", &[Mode::Eval], ALL);
    // Their numbers, as the ends of a clamp, are f32 in ONNX.
    for name in ["operations", "functions", "pixels"] {
        check_file(name, &format!("{name}.onnx"), &[Mode::Eval], [None, BOTH, BOTH]);
    }
    check_file("operations", "operations_traced.onnx", &[Mode::Eval], [None, BOTH, BOTH]);
}

/// What a torch before 2.8 writes has its weights as a pickle; the network is the same.
#[test]
fn networks_that_earlier_versions_of_torch_wrote() {
    const BOTH_MODES: &[Mode] = &[Mode::Eval, Mode::Train];
    for version in ["2_6", "2_9"] {
        check_file("quickstart", &format!("versions/quickstart_{version}.pt2"), &[Mode::Eval], ALL);
        check_file("mobilenet_v2", &format!("versions/mobilenet_v2_{version}_traced.onnx"), BOTH_MODES, ALL);
    }
    check_file("custom", "versions/custom_2_9.pt2", BOTH_MODES, ALL);
    check_file("mobilenet_v2", "versions/mobilenet_v2_2_9.onnx", BOTH_MODES, ALL);
}
