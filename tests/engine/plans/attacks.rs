//! The plans of whole attacks: nothing left unfused, nothing computed twice.

use gia_gpu::{
    attack::{
        config::{AttackConfig, LabelStrategy, Objective},
        problem::Sizes,
    },
    nn::architecture::depth,
    plan::Plan,
};

use super::liveness::check_step;
use crate::scene::problem;

fn plan(victim: &str, preset: &str, batch: usize) -> Plan {
    let config = AttackConfig::preset(preset, depth(victim)).unwrap();
    let joint_labels = config.labels == LabelStrategy::Joint;
    let problem = problem(victim, &config, Sizes::one_target(1, batch, joint_labels));
    let mut keep = problem.gradients.clone();
    keep.extend([problem.total, problem.objective, problem.norm_ratio]);
    Plan::new(&problem.tape, &keep, &[])
}

/// Cosine with total variation, and L2 with labels optimised jointly.
const PRESETS: [(&str, Objective); 2] = [("ig", Objective::Cosine), ("dlg", Objective::L2)];

#[test]
fn no_pointwise_chain_of_an_attack_is_left_unfused() {
    for (preset, objective) in PRESETS {
        for victim in ["lenet-zhu", "convnet4"] {
            assert_eq!(AttackConfig::preset(preset, depth(victim)).unwrap().objective, objective);
            for batch in [1, 4] {
                let plan = plan(victim, preset, batch);
                let unfused = plan.unfused();
                assert!(unfused.is_empty(), "{victim}, {preset}: steps {unfused:?} of\n{}", plan.dump());
            }
        }
    }
}

#[test]
fn no_kernel_of_an_attack_binds_more_buffers_than_allowed() {
    for (preset, _) in PRESETS {
        for victim in ["lenet-zhu", "convnet4"] {
            plan(victim, preset, 2).steps.iter().for_each(check_step);
        }
    }
}

/// FLOPs of the forward convolutions of a ConvNet on one 32×32 image, layer by layer, and of its linear layer.
fn convnet_forward(width: u64) -> Vec<u64> {
    let channels: Vec<u64> = [3].into_iter().chain([1, 2, 2, 4, 4, 4, 4, 4].map(|m| m * width)).collect();
    // Both pools are 3×3: 32 → 10 after six layers, 10 → 3 at the end.
    let pixels = [1024, 1024, 1024, 1024, 1024, 1024, 100, 100];
    let convs = (0..8).map(|i| 2 * 9 * channels[i] * channels[i + 1] * pixels[i]);
    convs.chain([2 * 4 * width * 9 * 10]).collect()
}

/// What one iteration must contract, in units of the forward pass F = Σ fₗ:
///
/// | pass | contractions | FLOPs |
/// |---|---|---|
/// | forward | aₗ = wₗ * aₗ₋₁ | F |
/// | backward | gₗ = ∂L/∂wₗ from aₗ₋₁ and δₗ | F |
/// |  | δₗ₋₁ from δₗ and wₗ; nothing asks for δ₀ = ∂L/∂x | F − f₁ |
/// | second backward, vₗ = ∂D/∂gₗ | δ̄ₗ from aₗ₋₁ and vₗ | F |
/// |  | āₗ₋₁ from δₗ and vₗ: for the first layer a part of ∂D/∂x | F |
/// |  | δ̄ₗ from δ̄ₗ₋₁ and wₗ; there is no δ̄₀ | F − f₁ |
/// |  | āₗ₋₁ from āₗ and wₗ: back through the forward pass down to x | F |
///
/// Together 7 F − 2 f₁. Nothing differentiates by a weight in the second backward pass.
#[test]
fn an_iteration_on_convnet64_contracts_as_much_as_seven_forward_passes_less_the_first_layer_twice() {
    let layers = convnet_forward(64);
    let expected = 7 * layers.iter().sum::<u64>() - 2 * layers[0];
    let plan = plan("convnet64", "ig", 1);
    assert_eq!(plan.totals().contraction_flops, expected, "{}", plan.dump());
}
