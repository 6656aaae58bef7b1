//! Networks from files of `torch.export`: what the client computes with them and the second order, as PyTorch does.

use gia_gpu::nn::Mode;

use super::{
    families::{ALL, check, check_family},
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
}

/// The same networks, from ONNX.
fn check_onnx(name: &str, file: &str, modes: &[Mode]) {
    for &mode in modes {
        let family = Family { model: graph_model(file), ..Family::load(&format!("families/graph_{name}")) };
        check_family(&family, mode, ALL);
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
    normed.into_iter().for_each(|name| check_onnx(name, &format!("{name}.onnx"), BOTH_MODES));
    for name in ["vit", "quickstart", "operations"] {
        check_onnx(name, &format!("{name}.onnx"), &[Mode::Eval]);
    }
    check_onnx("mobilenet_v2", "mobilenet_v2_traced.onnx", BOTH_MODES);
    check_onnx("efficientnet_b0", "efficientnet_b0_traced.onnx", BOTH_MODES);
    check_onnx("convnext_tiny", "convnext_tiny_traced.onnx", &[Mode::Eval]);
    check_onnx("vit", "vit_traced.onnx", &[Mode::Eval]);
}
