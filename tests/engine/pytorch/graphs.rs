//! Networks from files of `torch.export`: what the client computes with them and the second order, as PyTorch does.

use gia_gpu::nn::Mode;

use super::families::{ALL, check};

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
