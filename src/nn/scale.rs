//! Pictures made larger, bilinearly: two products with constant matrices.

use crate::tape::{Tape, Var};

/// Row-major `(to, from)`: each row is the two nearest of `from` points, pixel centres aligned (PyTorch's
/// `align_corners=False`).
fn matrix(from: usize, to: usize) -> Vec<f64> {
    let mut rows = vec![0.0; to * from];
    for (i, row) in rows.chunks_mut(from).enumerate() {
        let at = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let low = at.floor() as usize;
        let high = (low + 1).min(from - 1);
        row[low] += 1.0 - (at - low as f64);
        row[high] += at - low as f64;
    }
    rows
}

/// `(T,B,C,h,w) → (T,B,C,H,W)`.
pub fn enlarge(tape: &mut Tape, x: Var, [height, width]: [usize; 2]) -> Var {
    let [trials, batch, channels, h, w] = tape.shape(x)[..] else { panic!("(T,B,C,H,W)") };
    if [h, w] == [height, width] {
        return x;
    }
    let planes = trials * batch * channels;
    let mut y = tape.reshape(x, &[planes, h, w]);
    for (from, to) in [(w, width), (h, height)] {
        let m = tape.literal(&[1, to, from], matrix(from, to));
        let m = tape.broadcast_to(m, &[planes, to, from]);
        let turned = tape.transpose(y);
        y = tape.matmul(m, turned);
    }
    tape.reshape(y, &[trials, batch, channels, height, width])
}

/// The same on values: planes `(h,w)` one after another.
pub fn enlarged(planes: &[f32], [h, w]: [usize; 2], [height, width]: [usize; 2]) -> Vec<f32> {
    let (rows, columns) = (matrix(h, height), matrix(w, width));
    let plane = |values: &[f32]| -> Vec<f32> {
        let across: Vec<f64> = values
            .chunks(w)
            .flat_map(|line| columns.chunks(w).map(move |m| dot(m, line.iter().map(|&v| f64::from(v)))))
            .collect();
        let down = rows.chunks(h).flat_map(|m| {
            let across = &across;
            (0..width).map(move |x| dot(m, (0..h).map(|y| across[y * width + x])) as f32)
        });
        down.collect()
    };
    planes.chunks(h * w).flat_map(plane).collect()
}

fn dot(a: &[f64], b: impl Iterator<Item = f64>) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{device::Device, device::cpu::Cpu, plan::Plan};

    #[test]
    fn the_tape_enlarges_as_the_host_does_and_keeps_a_flat_picture_flat() {
        let mut tape = Tape::new();
        let x = tape.input(&[1, 1, 2, 3, 2]);
        let y = enlarge(&mut tape, x, [7, 5]);
        let mut exe = Cpu::<f32>::new().compile(&Plan::new(&tape, &[y], &[])).unwrap();
        let planes: Vec<f32> = (0..12).map(|i| if i < 6 { 2.5 } else { (i * i) as f32 }).collect();
        exe.write(x, &planes).unwrap();
        exe.run(1).unwrap();
        let found = exe.read(y).unwrap();
        let expected = enlarged(&planes, [3, 2], [7, 5]);
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-4), "{found:?} {expected:?}");
        assert!(expected[..35].iter().all(|v| (v - 2.5).abs() < 1e-6));
    }
}
