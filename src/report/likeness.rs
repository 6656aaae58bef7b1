//! How like the originals reconstructions are to a network, beside how like they are pixel by pixel.

use schemars::JsonSchema;
use serde::Serialize;

use crate::statistics::Estimate;

/// Of one batch; index `i` belongs to reconstruction `i`, and its original is the one that has the smallest sum of MSE.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Likeness {
    /// LPIPS; absent where its weights were not given.
    #[schemars(with = "Option<Vec<Option<f64>>>")]
    pub lpips: Option<Vec<f64>>,
    /// Mean squared difference of the victim's features, of what its last layer is given.
    #[schemars(with = "Vec<Option<f64>>")]
    pub fmse: Vec<f64>,
    /// Where each original ranks among a pool of pictures, by similarity to its reconstruction.
    pub identification_rank: Ranks,
}

/// Place of the true original among a pool, by its distance from the reconstruction: 1 is the nearest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ranks {
    /// Pictures in the pool: the originals of all batches.
    pub pool: usize,
    /// By LPIPS, where its weights were given.
    pub lpips: Option<Vec<usize>>,
    /// By the victim's features.
    pub features: Vec<usize>,
}

/// Means over all pictures of all batches, with intervals over the batches.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct LikenessFigures {
    /// Absent where its weights were not given.
    pub lpips: Option<Estimate>,
    /// Mean squared difference of the victim's features.
    pub fmse: Estimate,
    /// Where originals rank among a pool of pictures.
    pub identification_rank: RankFigures,
}

/// Where originals rank among a pool of pictures by similarity to their reconstructions; 1 is first.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub struct RankFigures {
    /// Pictures of the pool: the originals of all batches.
    pub pool: usize,
    /// What guessing reaches: the middle of the pool.
    pub chance: f64,
    /// Rank by LPIPS; absent where its weights were not given.
    pub lpips: Option<Estimate>,
    /// Rank by the victim's features.
    pub features: Estimate,
}

impl LikenessFigures {
    /// `None` without any batch.
    pub fn of(batches: &[Likeness]) -> Option<LikenessFigures> {
        let pool = batches.first()?.identification_rank.pool;
        let over = |values: Vec<Vec<f64>>, range| {
            Estimate::of_groups(&values.iter().map(Vec::as_slice).collect::<Vec<_>>(), range)
        };
        let wide = |ranks: &[usize]| ranks.iter().map(|&rank| rank as f64).collect::<Vec<f64>>();
        let ranks = [1.0, pool as f64];
        let lpips: Option<Vec<Vec<f64>>> = batches.iter().map(|b| b.lpips.clone()).collect();
        let by_lpips: Option<Vec<Vec<f64>>> =
            batches.iter().map(|b| b.identification_rank.lpips.as_deref().map(wide)).collect();
        let by_features = batches.iter().map(|b| wide(&b.identification_rank.features)).collect();
        Some(LikenessFigures {
            lpips: lpips.map(|values| over(values, None)),
            fmse: over(batches.iter().map(|b| b.fmse.clone()).collect(), None),
            identification_rank: RankFigures {
                pool,
                chance: (1 + pool) as f64 / 2.0,
                lpips: by_lpips.map(|values| over(values, Some(ranks))),
                features: over(by_features, Some(ranks)),
            },
        })
    }
}
