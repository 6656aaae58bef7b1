//! The PyTorch fixtures agree with what can be worked out from them by hand.

use crate::common::fixture;

const VICTIMS: [(&str, &str); 2] = [("lenet_zhu", "fc.0"), ("convnet", "model.linear")];

/// Rows of softmax(logits), `(B, K)`.
fn softmax(logits: &[f64], classes: usize) -> Vec<Vec<f64>> {
    let row = |row: &[f64]| {
        let max = row.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = row.iter().map(|v| (v - max).exp()).sum();
        row.iter().map(|v| (v - max).exp() / sum).collect()
    };
    logits.chunks(classes).map(row).collect()
}

#[test]
fn loss_and_last_bias_gradient_follow_from_the_logits() {
    for (victim, last_layer) in VICTIMS {
        let grad = fixture(&format!("{victim}_grad"));
        let labels = &fixture(&format!("{victim}_inputs"))["labels"].data;
        let p = softmax(&grad["logits"].data, 10);
        let batch = labels.len() as f64;
        let loss = p.iter().zip(labels).map(|(row, &c)| -row[c as usize].ln()).sum::<f64>() / batch;
        assert!((loss - grad["loss"].data[0]).abs() < 1e-12, "{victim}");
        for (k, &found) in grad[&format!("grad.{last_layer}.bias")].data.iter().enumerate() {
            let hits = labels.iter().filter(|&&c| c as usize == k).count() as f64;
            let expected = (p.iter().map(|row| row[k]).sum::<f64>() - hits) / batch;
            assert!((found - expected).abs() < 1e-12, "{victim}, class {k}");
        }
    }
}

#[test]
fn every_parameter_has_a_gradient_of_its_shape() {
    for (victim, _) in VICTIMS {
        let weights = fixture(&format!("{victim}_weights"));
        let grad = fixture(&format!("{victim}_grad"));
        let is_buffer = |name: &str| name.contains("running_") || name.ends_with("num_batches_tracked");
        for (name, weight) in weights.iter().filter(|(name, _)| !is_buffer(name)) {
            assert_eq!(grad[&format!("grad.{name}")].shape, weight.shape, "{victim}: {name}");
        }
    }
}

#[test]
fn cosine_tv_is_cosine_plus_the_total_variation_of_the_trial_images() {
    for (victim, _) in VICTIMS {
        let found = fixture(&format!("{victim}_match"));
        let x = &fixture(&format!("{victim}_inputs"))["x_hat"];
        assert_eq!(x.shape, [2, 3, 32, 32]);
        let (mut across, mut down) = (0.0, 0.0);
        for plane in x.data.chunks(32 * 32) {
            across += plane.chunks(32).flat_map(|r| r.windows(2)).map(|w| (w[1] - w[0]).abs()).sum::<f64>();
            down += plane.iter().zip(&plane[32..]).map(|(a, b)| (b - a).abs()).sum::<f64>();
        }
        let tv = (across + down) / (6 * 31 * 32) as f64;
        let difference = found["cosine_tv.loss"].data[0] - found["cosine.loss"].data[0];
        assert!((difference - 1e-2 * tv).abs() < 1e-12, "{victim}");
    }
}

#[test]
fn every_operation_has_a_first_and_second_derivative_for_each_input() {
    let ops = fixture("ops");
    let inputs: Vec<_> = ops.keys().filter(|name| name.contains(".in.")).collect();
    assert!(inputs.len() > 40);
    for name in inputs {
        for kind in [".grad.", ".second."] {
            assert_eq!(ops[&name.replace(".in.", kind)].shape, ops[name].shape, "{name}");
        }
    }
}
