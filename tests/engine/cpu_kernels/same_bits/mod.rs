//! AVX-512 and AVX2 give the same bits: both add products unrounded, and the order of a sum is given by its sizes.

mod contractions;
mod expressions;
mod windows;

use gia_gpu::{
    device::cpu::{Cpu, Isa, Number, Way},
    plan::kernel::Kernel,
};

use super::support::run_on;

/// AVX-512 and AVX2. `None`, and a line that says so, where the processor lacks one of them.
fn both() -> Option<[Isa; 2]> {
    let of_name = |name| Isa::available().into_iter().find(|isa| isa.name() == name);
    let found = of_name("avx512").zip(of_name("avx2"));
    if found.is_none() {
        eprintln!("skipped: this processor lacks AVX-512 or AVX2; it has {:?}", Isa::available());
    }
    found.map(<[Isa; 2]>::from)
}

/// Runs the kernel at both levels and in both types. Any NaN is as good as another.
fn assert_same(levels: [Isa; 2], way: Option<Way>, kernel: &Kernel, reads: &[&[f64]], before: &[f64]) {
    assert_same_in::<f32>(levels, way, kernel, reads, before);
    assert_same_in::<f64>(levels, way, kernel, reads, before);
}

fn assert_same_in<R: Number>(
    levels: [Isa; 2],
    way: Option<Way>,
    kernel: &Kernel,
    reads: &[&[f64]],
    before: &[f64],
) {
    let [wide, narrow] = levels.map(|isa| {
        let cpu = Cpu::<R>::new().with_isa(isa);
        let cpu = way.map_or(cpu, |way| cpu.with_way(way));
        run_on(cpu, kernel.clone(), reads, before)
    });
    let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    for (i, (&wide, &narrow)) in wide.iter().zip(&narrow).enumerate() {
        let real = std::any::type_name::<R>();
        assert!(same(wide, narrow), "{kernel:?}, {way:?}, {real}, element {i}: {wide:e} and {narrow:e}");
    }
}
