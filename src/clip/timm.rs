//! Image towers that OpenCLIP takes from timm: SigLIP's, by their names.

use super::Activation;

/// Heads and activation of timm's vision transformers with SigLIP's pooling; `None` for another model, among them
/// those of averages (`gap`).
pub(crate) fn siglip(name: &str) -> Option<(usize, Activation)> {
    let (size, rest) = name.strip_prefix("vit_")?.split_once("_patch")?;
    let (patch, side) = rest.split_once("_siglip_")?;
    let (heads, tanh, exact): (usize, &[&str], &[&str]) = match (size, patch) {
        ("base", "16") => (12, &[], &["224", "256", "384", "512"]),
        ("base", "32") => (12, &["256"], &[]),
        ("large", "16") => (16, &["512"], &["256", "384"]),
        ("so400m", "14") => (16, &[], &["224", "378", "384"]),
        ("so400m", "16") => (16, &["256", "384", "512"], &[]),
        ("giantopt", "16") => (16, &["256", "384"], &[]),
        _ => return None,
    };
    match (tanh.contains(&side), exact.contains(&side)) {
        (true, _) => Some((heads, Activation::GeluTanh)),
        (_, true) => Some((heads, Activation::Gelu)),
        _ => None,
    }
}
