//! Plans of one step at every instruction set, seeded random numbers and error bounds.

use gia_gpu::{
    device::cpu::{Cpu, Isa, Number},
    plan::{Plan, kernel::Kernel},
    tape::Var,
};

/// SplitMix64: enough for test data, and the same everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// In [−1, 1), exact in `f32`.
    pub(crate) fn value(&mut self) -> f64 {
        (self.bits() >> 40) as f64 / (1u64 << 23) as f64 - 1.0
    }

    pub(crate) fn values(&mut self, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.value()).collect()
    }
}

/// Calls `test` with every instruction set that this processor has, widest first.
pub(crate) fn at_every_level(test: impl FnMut(Isa)) {
    at_levels(&Isa::available(), test);
}

/// Calls `test` with each of `levels`; a failure says with which.
pub(crate) fn at_levels(levels: &[Isa], mut test: impl FnMut(Isa)) {
    struct Named(Isa);

    impl Drop for Named {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("that was with {}", self.0);
            }
        }
    }

    for &isa in levels {
        let _named = Named(isa);
        test(isa);
    }
}

/// The widest, and one of the narrower ones by the number of the case, so that each of them has its share of many cases.
pub(crate) fn shared_out(case: usize) -> Vec<Isa> {
    let levels = Isa::available();
    let (widest, narrower) = levels.split_first().expect("there is always scalar code");
    let drawn = narrower.get(case % narrower.len().max(1));
    [widest].into_iter().chain(drawn).copied().collect()
}

/// [`Plan::of_kernel`].
pub(crate) fn plan(kernel: Kernel, reads: &[usize], written: usize) -> Plan {
    Plan::of_kernel(kernel, reads, written)
}

/// Runs `kernel` once. The output starts as `before`.
pub(crate) fn run_on<R: Number>(cpu: Cpu<R>, kernel: Kernel, reads: &[&[f64]], before: &[f64]) -> Vec<f64> {
    let lens: Vec<usize> = reads.iter().map(|read| read.len()).collect();
    let plan = plan(kernel, &lens, before.len());
    let mut executable = cpu.compile_typed(&plan).expect("the plan is sound");
    for (i, values) in reads.iter().chain([&before]).enumerate() {
        let typed: Vec<R> = values.iter().map(|&v| R::of(v)).collect();
        executable.write_typed(Var::from_index(i), &typed).expect("the lengths agree");
    }
    executable.run(1).expect("the plan runs");
    let out = executable.read_typed(Var::from_index(reads.len())).expect("the output is bound");
    out.into_iter().map(|v| v.into_f64()).collect()
}

/// Runs `kernel` once into a buffer that holds something else before: kernels must overwrite it.
pub(crate) fn run<R: Number>(isa: Isa, kernel: Kernel, reads: &[&[f64]], written: usize) -> Vec<f64> {
    run_on(Cpu::<R>::new().with_isa(isa), kernel, reads, &vec![7.5; written])
}

/// Asserts that `found` is within `√terms · ε · magnitude` of `expected` everywhere. `magnitude` is the sum of
/// the absolute values of the `terms` numbers that were added up.
pub(crate) fn assert_close<R: Number>(
    what: &str,
    found: &[f64],
    expected: &[f64],
    magnitude: &[f64],
    terms: usize,
) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let epsilon = R::epsilon().into_f64() * (terms.max(1) as f64).sqrt();
    for (i, ((&found, &expected), &magnitude)) in found.iter().zip(expected).zip(magnitude).enumerate() {
        let bound = epsilon * magnitude;
        let error = (found - expected).abs();
        assert!(error <= bound, "{what}, element {i}: {found} for {expected}, off by {error:e} > {bound:e}");
    }
}

pub(crate) fn absolute(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.abs()).collect()
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
