//! That a convolution gives the same bits whatever happens beside it.

use gia_gpu::{
    device::cpu::{Cpu, Isa, Number, Way},
    plan::kernel::{ConvKernel, Kernel},
    tape::{Var, spec::ConvSpec},
};

use super::support::{Random, at_levels, plan};

const TRIALS: usize = 3;

/// The three convolutions of these sizes, at each of `levels` and in both types, on several numbers of threads, and alone and
/// beside two other trials that share the weights.
pub(crate) fn check_bits(way: Way, levels: &[Isa], spec: ConvSpec, random: &mut Random) {
    let lens = [TRIALS * spec.input_len(), spec.weight_len(), TRIALS * spec.output_len()];
    let operands = lens.map(|len| random.values(len));
    at_levels(levels, |isa| {
        check(Cpu::<f32>::new().with_way(way).with_isa(isa), spec, &operands);
        check(Cpu::<f64>::new().with_way(way).with_isa(isa), spec, &operands);
    });
}

fn check<R: Number>(cpu: Cpu<R>, spec: ConvSpec, operands: &[Vec<f64>; 3]) {
    let [x, w, g] = operands.each_ref().map(|values| values.iter().map(|&v| R::of(v)).collect::<Vec<R>>());
    for wanted in 0..3 {
        let on = |threads: usize, trials: usize| {
            let kernel = ConvKernel { spec, trials, shared: [false, true] };
            let own = ConvKernel { shared: [false; 2], ..kernel };
            let [x_len, w_len, g_len] = [spec.input_len(), spec.weight_len(), spec.output_len()];
            let (kernel, reads, written) = match wanted {
                0 => (Kernel::Conv2dGradInput(kernel), [&g[..trials * g_len], &w], trials * x_len),
                1 => {
                    let reads = [&x[..trials * x_len], &g[..trials * g_len]];
                    (Kernel::Conv2dGradWeight(own), reads, trials * w_len)
                }
                _ => (Kernel::Conv2d(kernel), [&x[..trials * x_len], &w], trials * g_len),
            };
            let plan = plan(kernel, &reads.map(<[R]>::len), written);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let mut executable = cpu.compile_typed(&plan).expect("the plan is sound");
                for (i, values) in reads.iter().enumerate() {
                    executable.write_typed(Var::from_index(i), values).expect("the lengths agree");
                }
                executable.run(2).expect("the plan runs");
                let out = executable.read_typed(Var::from_index(2)).expect("the output is bound");
                out.into_iter().map(|v| v.into_f64().to_bits()).collect::<Vec<u64>>()
            })
        };
        let one = on(1, TRIALS);
        for threads in [2, 3, 5] {
            assert!(one == on(threads, TRIALS), "{cpu:?}, {spec:?}, operand {wanted}, on {threads} threads");
        }
        let first = on(2, 1);
        assert!(one[..first.len()] == first, "{cpu:?}, {spec:?}, operand {wanted}, alone");
    }
}
