//! From a FedAvg update to the gradient that the label rules read.

use super::LabelError;

/// Δ = θ_local − θ_server ≈ −η·Σ g over the local steps, so g ≈ −Δ/(η·steps): exact for one step of plain
/// SGD. A missed sign gives exactly wrong labels.
///
/// # Errors
/// A learning rate that is not above 0, no steps, or a quotient beyond f32.
pub fn from_update(delta: &[f32], learning_rate: f64, steps: usize) -> Result<Vec<f32>, LabelError> {
    if !(learning_rate > 0.0 && learning_rate.is_finite()) {
        return Err(LabelError::Update(format!(
            "expected a local learning rate above 0, found {learning_rate}"
        )));
    }
    if steps == 0 {
        return Err(LabelError::Update("expected at least 1 local step, found 0".into()));
    }
    let scale = -(learning_rate * steps as f64);
    let gradient: Vec<f32> = delta.iter().map(|&v| (f64::from(v) / scale) as f32).collect();
    match gradient.iter().position(|g| !g.is_finite()) {
        Some(index) => Err(LabelError::Update(format!(
            "element {index} of the update, {}, is beyond f32 when divided by -{learning_rate} × {steps}",
            delta[index]
        ))),
        None => Ok(gradient),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_goes_against_its_gradient() {
        assert_eq!(from_update(&[-0.5, 0.25], 0.25, 2).unwrap(), [1.0, -0.5]);
    }

    #[test]
    fn senseless_steps_are_refused() {
        for (learning_rate, steps) in [(0.0, 1), (-0.1, 1), (f64::NAN, 1), (f64::INFINITY, 1), (0.1, 0)] {
            assert!(from_update(&[1.0], learning_rate, steps).is_err(), "{learning_rate} {steps}");
        }
        assert!(from_update(&[1e30], 1e-20, 1).is_err());
    }
}
