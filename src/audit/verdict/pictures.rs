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
/// Fewer other pictures are nothing to test against.
const FEWEST: usize = 19;
/// Steps that all one-to-one assignments may take.
const STEPS: usize = 1_000_000_000;
/// Pixels that all comparisons by SSIM may read.
const PIXELS: usize = 200_000_000;

/// SSIM, its floor, and how often other pictures in place of the originals are as like: if the reconstructions know
/// nothing of their originals, these are no nearer to them than any others (a randomisation test). `pictures`: `M` × `B`.
pub fn measure(
    pictures: &[Vec<Picture>],
    clients: &Clients,
    judged: &Judged,
    seed: u64,
) -> Result<Measure, AuditError> {
    let ssim = judged.figures.ssim.one_to_one;
    let known = [&judged.floors.flat_grey, &judged.floors.noise].map(|floor| floor.ssim.one_to_one.mean);
    let mut floor = known.into_iter().fold(0.0, f64::max);
    let mut p_value = None;
    if let Some(draws) = others(&pictures.concat(), clients, seed)? {
        let (p, mean) = beside(ssim.mean, &draws);
        (p_value, floor) = (Some(p), floor.max(mean));
    }
    Ok(Measure { estimate: ssim.mean, interval: ssim.interval_95, floor, p_value })
}

/// Mean SSIM, one-to-one, of all batches beside other pictures, a value a draw; `None` where there are too few.
fn others(found: &[Picture], clients: &Clients, seed: u64) -> Result<Option<Vec<f64>>, AuditError> {
    // Pictures of no client, then those of all batches; a batch never meets its own.
    let pixels = found.iter().map(|p| p.pixels.len()).sum::<usize>().max(1);
    let mut pool: Vec<Picture> = clients.others.iter().take(PIXELS / pixels).cloned().collect();
    let mut own = vec![];
    for batch in &clients.batches {
        own.push(pool.len()..pool.len() + batch.pictures.len());
        pool.extend(batch.pictures.iter().cloned());
    }
    let least = own.iter().map(|range| pool.len() - range.len()).min().unwrap_or(0);
    let largest = own.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
    if least < FEWEST.max(2 * largest) {
        return Ok(None);
    }
    let width = pool.len();
    let table = ssim_table(found, &pool)?;
    // One batch of one picture has as many draws as there are pictures.
    let steps: usize = own.iter().map(|range| range.len().pow(3).max(50)).sum();
    let different = if found.len() == 1 { least } else { DRAWS };
    let draws = (STEPS / steps).clamp(FEWEST, DRAWS).min(different);
    let mut generator = random::generator(seed, "pictures in place of the originals");
    let foreign: Vec<Vec<usize>> =
        own.iter().map(|range| (0..width).filter(|i| !range.contains(i)).collect()).collect();
    let mut value = |draw: usize| {
        let (mut sum, mut first) = (0.0, 0);
        for (range, foreign) in own.iter().zip(&foreign) {
            let size = range.len();
            let chosen: Vec<usize> = match found.len() {
                1 => vec![foreign[draw]],
                _ => sample(&mut generator, foreign.len(), size).iter().map(|i| foreign[i]).collect(),
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
