//! Whether the pictures are more like the originals than like pictures of other people.

use rand::seq::index::sample;

use super::{AuditError, Clients, Judged, Measure, chance::beside};
use crate::{
    data::Picture,
    metrics::{assign, ssim_table},
    random,
};

/// Draws of other pictures in place of all originals.
const DRAWS: usize = 999;
/// Fewer pictures are nothing to test against.
const FEWEST: usize = 20;
/// Steps that all one-to-one assignments may take.
const STEPS: usize = 1_000_000_000;
/// Pixels that all comparisons by SSIM may read.
const PIXELS: usize = 200_000_000;

/// SSIM, its floor, and how often other pictures in place of the originals are as like: if the reconstructions know
/// nothing of their originals, these are no nearer to them than any others (a randomisation test). `pictures`: `M` × `B`.
/// `None` for pictures that are too small for SSIM.
pub(crate) fn measure(
    pictures: &[Vec<Picture>],
    clients: &Clients,
    judged: &Judged,
    seed: u64,
) -> Result<Option<Measure>, AuditError> {
    let ssim = judged.figures.ssim.one_to_one;
    if ssim.mean.is_nan() {
        return Ok(None);
    }
    let known = [&judged.floors.flat_grey, &judged.floors.noise].map(|floor| floor.ssim.one_to_one.mean);
    let mut floor = known.into_iter().fold(0.0, f64::max);
    let mut p_value = None;
    if let Some(draws) = others(&pictures.concat(), clients, seed)? {
        let (p, mean) = beside(ssim.mean, &draws);
        (p_value, floor) = (Some(p), floor.max(mean));
    }
    Ok(Some(Measure { estimate: ssim.mean, interval: ssim.interval_95, floor, p_value }))
}

/// Mean SSIM, one-to-one, of all batches beside pictures drawn from all that there are, the originals included, a value a
/// draw; `None` where there are too few. If reconstructions know nothing, their originals are one such draw.
fn others(found: &[Picture], clients: &Clients, seed: u64) -> Result<Option<Vec<f64>>, AuditError> {
    let pixels = found.iter().map(|p| p.pixels.len()).sum::<usize>().max(1);
    let mut pool: Vec<Picture> = clients.others.iter().take(PIXELS / pixels).cloned().collect();
    pool.extend(clients.batches.iter().flat_map(|b| b.pictures.iter().cloned()));
    let sizes: Vec<usize> = clients.batches.iter().map(|b| b.pictures.len()).collect();
    let largest = sizes.iter().copied().max().unwrap_or(0);
    if pool.len() < FEWEST || pool.len() <= largest {
        return Ok(None);
    }
    let width = pool.len();
    let table = ssim_table(found, &pool)?;
    // One batch of one picture has as many draws as there are pictures.
    let steps: usize = sizes.iter().map(|size| size.pow(3).max(50)).sum();
    let different = if found.len() == 1 { width - 1 } else { DRAWS };
    let draws = (STEPS / steps).clamp(FEWEST, DRAWS).min(different);
    let mut generator = random::generator(seed, "pictures in place of the originals");
    let mut value = |draw: usize| {
        let (mut sum, mut first) = (0.0, 0);
        for &size in &sizes {
            let chosen: Vec<usize> = match found.len() {
                // The last is the original itself.
                1 => vec![draw],
                _ => sample(&mut generator, width, size).into_vec(),
            };
            let rows = first..first + size;
            let square: Vec<f64> =
                rows.flat_map(|i| chosen.iter().map(move |c| i * width + c)).map(|at| table[at]).collect();
            let best = assign::largest_sum(size, size, &square);
            sum += (0..size).map(|i| square[i * size + best[i]]).sum::<f64>();
            first += size;
        }
        sum / found.len() as f64
    };
    Ok(Some((0..draws).map(&mut value).collect()))
}
