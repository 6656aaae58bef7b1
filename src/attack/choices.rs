//! The attack's choices that carry a number or a method, as they are written: `cosine-top:0.3`, `last:4`, `soft:100`.

use std::{fmt, str::FromStr};

use super::labels::Method;
use crate::spelling::{Form, Spelled, as_text, expected, unknown};

/// Distance between the trial gradient g and the observed gradient g*.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Objective {
    /// Σ_l ‖g_l − g*_l‖² (Zhu 2019)
    L2,
    /// Σ_l |g_l − g*_l|
    L1,
    /// 1 − ⟨g,g*⟩/(‖g‖·‖g*‖), one cosine over all layers (Geiping 2020, eq. 4)
    Cosine,
    /// Mean over the layers of 1 − cosine
    CosineLayerwise,
    /// The cosine over this share of g*'s entries, the largest by magnitude (Jeon 2021: 1 − R)
    CosineTop(f64),
}

/// Which layers are matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// Every tensor of the gradient.
    All,
    /// The last so many tensors of the gradient.
    Last(usize),
}

/// What Adam is given in place of the gradient ∇.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sign {
    /// ∇
    None,
    /// sign(∇) (Geiping 2020)
    Hard,
    /// tanh(s·∇)/s
    Soft(f64),
}

/// What to do when the labels are not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelStrategy {
    /// iDLG for one picture, iLRG for more.
    Auto,
    /// Restore them from the last layer's gradient by this method.
    Restore(Method),
    /// Optimise softmax(logits) together with the images (Zhu 2019).
    Joint,
}

/// Share of `cosine-top` where none is written.
const TOP: f64 = 0.5;
/// Slope at 0 of `soft` where none is written.
pub(crate) const SOFT_SIGN: f64 = 100.0;

const fn form(text: &'static str, meaning: &'static str) -> Form {
    Form { text, meaning }
}

/// What stands behind the colon, if a number that `fits` does.
fn number<N: FromStr>(text: Option<&str>, fits: impl Fn(&N) -> bool) -> Option<N> {
    text.and_then(|text| text.parse().ok()).filter(fits)
}

impl Spelled for Objective {
    const ABOUT: &'static str = "Distance between the trial gradient g and the observed gradient g*.";
    const FORMS: &'static [Form] = &[
        form("l2", "Σ_l ‖g_l − g*_l‖² (Zhu 2019)"),
        form("l1", "Σ_l |g_l − g*_l|"),
        form("cosine", "1 − ⟨g,g*⟩/(‖g‖·‖g*‖), one cosine over all layers (Geiping 2020)"),
        form("cosine-layerwise", "Mean over the layers of 1 − cosine"),
        form(
            "cosine-top[:SHARE]",
            "The cosine over this share of g*'s entries, the largest (Jeon 2021); 0.5 if not given",
        ),
    ];
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Objective, String> {
        let share = number(text.strip_prefix("cosine-top:"), |share: &f64| *share > 0.0 && *share <= 1.0);
        Ok(match (text, share) {
            ("l2", _) => Objective::L2,
            ("l1", _) => Objective::L1,
            ("cosine", _) => Objective::Cosine,
            ("cosine-layerwise", _) => Objective::CosineLayerwise,
            ("cosine-top", _) => Objective::CosineTop(TOP),
            (_, Some(share)) => Objective::CosineTop(share),
            _ => {
                return Err(format!(
                    "expected {} with a share in (0, 1], found '{text}'",
                    expected::<Objective>()
                ));
            }
        })
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Objective::L2 => f.write_str("l2"),
            Objective::L1 => f.write_str("l1"),
            Objective::Cosine => f.write_str("cosine"),
            Objective::CosineLayerwise => f.write_str("cosine-layerwise"),
            Objective::CosineTop(share) => write!(f, "cosine-top:{share}"),
        }
    }
}

impl Spelled for Layers {
    const ABOUT: &'static str = "Which layers are matched.";
    const FORMS: &'static [Form] =
        &[form("all", "Every tensor of the gradient"), form("last:N", "The last N tensors of the gradient")];
}

impl FromStr for Layers {
    type Err = String;

    fn from_str(text: &str) -> Result<Layers, String> {
        match (text, number(text.strip_prefix("last:"), |&n: &usize| n > 0)) {
            ("all", _) => Ok(Layers::All),
            (_, Some(n)) => Ok(Layers::Last(n)),
            _ => Err(format!("expected {} with N from 1, found '{text}'", expected::<Layers>())),
        }
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Layers::All => f.write_str("all"),
            Layers::Last(n) => write!(f, "last:{n}"),
        }
    }
}

impl Spelled for Sign {
    const ABOUT: &'static str = "What Adam is given in place of the gradient ∇.";
    const FORMS: &'static [Form] = &[
        form("none", "∇"),
        form("hard", "sign(∇) (Geiping 2020)"),
        form("soft[:SLOPE]", "tanh(s·∇)/s with the slope s; 100 if not given"),
    ];
}

impl FromStr for Sign {
    type Err = String;

    fn from_str(text: &str) -> Result<Sign, String> {
        let slope = number(text.strip_prefix("soft:"), |slope: &f64| slope.is_finite() && *slope > 0.0);
        match (text, slope) {
            ("none", _) => Ok(Sign::None),
            ("hard", _) => Ok(Sign::Hard),
            ("soft", _) => Ok(Sign::Soft(SOFT_SIGN)),
            (_, Some(slope)) => Ok(Sign::Soft(slope)),
            _ => Err(format!("expected {} with a slope above 0, found '{text}'", expected::<Sign>())),
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Sign::None => f.write_str("none"),
            Sign::Hard => f.write_str("hard"),
            Sign::Soft(slope) => write!(f, "soft:{slope}"),
        }
    }
}

impl Spelled for LabelStrategy {
    const ABOUT: &'static str = "How labels are found where they are not given.";
    const FORMS: &'static [Form] = {
        let [ilrg, idlg, sign, yin, bias_corrected, exact] = *Method::FORMS else { panic!() };
        &[
            form("auto", "iLRG; iDLG for one picture where the last layer has no bias"),
            ilrg,
            idlg,
            sign,
            yin,
            bias_corrected,
            exact,
            form("joint", "Learned together with the pictures (Zhu 2019)"),
        ]
    };
}

impl FromStr for LabelStrategy {
    type Err = String;

    fn from_str(text: &str) -> Result<LabelStrategy, String> {
        match text {
            "auto" => Ok(LabelStrategy::Auto),
            "joint" => Ok(LabelStrategy::Joint),
            method => method.parse().map(LabelStrategy::Restore).map_err(|_| unknown::<LabelStrategy>(text)),
        }
    }
}

impl fmt::Display for LabelStrategy {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            LabelStrategy::Auto => f.write_str("auto"),
            LabelStrategy::Restore(method) => method.fmt(f),
            LabelStrategy::Joint => f.write_str("joint"),
        }
    }
}

as_text!(Objective);
as_text!(Layers);
as_text!(Sign);
as_text!(LabelStrategy);
