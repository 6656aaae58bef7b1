//! What is asked of the inner loops' machine code.

use std::{collections::BTreeSet, path::Path};

use super::{
    functions::{Arithmetic, Function, arithmetic, functions, stored_sum, stores_vector},
    loops,
};

/// Where the functions are.
const PLACE: &str = "gia_gpu::device::cpu::";

/// How a function must look. Loops are innermost ones.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every loop that multiplies does so in whole vectors, fused where the level can, and writes no vector to
    /// memory. Loops that only add may be narrow: they combine lanes, or write the ragged end of a tile, after its sums.
    Tile,
    /// As a tile, but the elements that do not fill a row of lanes may be taken one by one: loops of a single product.
    Dot,
    /// As [`Kind::Dot`], for sums without products.
    Sum,
    /// As a tile, but what it adds to lies in memory. The elements that do not fill a vector come after the loop.
    Update,
    /// Writes what it computes. Every product, wherever it stands, is of whole vectors; sums without products may be narrower
    /// in loops of a single one, which write the ragged ends of rows.
    Stream,
}

/// The functions that the time of convolutions, matrix products and large reductions goes to.
const HOT: [(&str, Kind); 15] = [
    ("loops::gemm::tile::multiply", Kind::Tile),
    ("loops::folds::dot", Kind::Dot),
    ("loops::folds::sum", Kind::Sum),
    ("loops::lanes::add_multiple", Kind::Update),
    ("convolution::direct_tiles::convolve", Kind::Tile),
    ("convolution::direct_tiles::correlate", Kind::Tile),
    ("convolution::by_outputs_tiles::convolve", Kind::Tile),
    ("convolution::by_outputs_tiles::correlate", Kind::Tile),
    ("convolution::depthwise_tiles::convolve", Kind::Tile),
    ("convolution::depthwise_tiles::correlate", Kind::Tile),
    ("convolution::winograd::input::input", Kind::Stream),
    ("convolution::winograd::output::output", Kind::Stream),
    ("convolution::winograd::gradient::gradient", Kind::Stream),
    ("convolution::winograd::weight::weight", Kind::Stream),
    ("convolution::winograd::weight::weight_gradient", Kind::Stream),
];

/// Where `vectorized!` compiles a function for an instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Level {
    name: &'static str,
    /// Bytes of a vector.
    width: usize,
    fuses: bool,
}

pub(crate) const AVX512: Level = Level { name: "avx512", width: 64, fuses: true };
/// Nothing is asked of scalar code.
const LEVELS: [Level; 3] =
    [AVX512, Level { name: "avx2", width: 32, fuses: true }, Level { name: "sse2", width: 16, fuses: false }];

/// Whole vectors that the main loop of a function takes at least: fewer sums would wait for each other.
const MAIN: usize = 4;

/// Instructions of a fault that are printed.
const SHOWN: usize = 12;

/// All faults of the hot functions of an executable, at every level and for numbers of these sizes.
pub(crate) fn check(path: &Path, sizes: &[usize]) -> Vec<String> {
    let name_of = |name: &str, level: Level| format!("{PLACE}{name}::{}", level.name);
    let wanted: Vec<String> =
        HOT.iter().flat_map(|(name, _)| LEVELS.map(|level| name_of(name, level))).collect();
    let compiled = functions(path, |name| wanted.iter().any(|wanted| wanted == name));
    let mut found = Vec::new();
    for (name, kind) in HOT {
        for level in LEVELS {
            let name = name_of(name, level);
            let these: Vec<&Function> = compiled.iter().filter(|function| function.name == name).collect();
            // The names are the same for all kinds of numbers.
            if these.len() < sizes.len() {
                found.push(format!("{name}: compiled {} times, not {}", these.len(), sizes.len()));
            }
            for &size in sizes.iter().filter(|_| these.len() >= sizes.len()) {
                if !these.iter().any(|function| number(function) == Some(size)) {
                    found.push(format!("{name}: no arithmetic on numbers of {size} bytes"));
                }
            }
            these.iter().for_each(|function| found.extend(faults(function, level, kind)));
        }
    }
    found
}

/// Bytes of the numbers that most of a function's arithmetic is on.
fn number(function: &Function) -> Option<usize> {
    let numbers: Vec<usize> =
        function.instructions.iter().filter_map(arithmetic).map(|what| what.number).collect();
    let doubles = numbers.iter().filter(|&&number| number == 8).count();
    (!numbers.is_empty()).then_some(if 2 * doubles > numbers.len() { 8 } else { 4 })
}

/// What is wrong with a function.
pub(crate) fn faults(function: &Function, level: Level, kind: Kind) -> Vec<String> {
    let mut found = Vec::new();
    let mut fault = |what: &str, instructions: Vec<usize>| {
        if !instructions.is_empty() {
            found.push(message(function, what, &instructions));
        }
    };
    let is = |i: usize| arithmetic(&function.instructions[i]);
    // Narrow arithmetic.
    let narrow = |i: usize| is(i).is_some_and(|what| what.width < level.width);
    // Products that are not added at once, though the level could.
    let unfused = |i: usize| level.fuses && is(i).is_some_and(|what| what.multiplies && !what.adds);
    let counts = |what: Arithmetic| if kind == Kind::Sum { what.adds } else { what.multiplies };
    let takes = |i: usize| is(i).is_some_and(counts);
    let loops = loops::innermost(&function.next);

    if kind == Kind::Stream {
        let all: Vec<usize> = (0..function.instructions.len()).collect();
        if !all.iter().any(|&i| takes(i) && !narrow(i)) {
            fault("multiplies no whole vectors", vec![0]);
        }
        let few = |i: usize| {
            let within = loops.iter().find(|nodes| nodes.contains(&i));
            within.is_some_and(|nodes| nodes.iter().filter(|&&other| is(other).is_some()).count() == 1)
        };
        let narrow = all.into_iter().filter(|&i| narrow(i) && (takes(i) || !few(i))).collect();
        fault("computes with less than whole vectors", narrow);
        return found;
    }

    let mut longest = 0;
    for nodes in &loops {
        let take: Vec<usize> = nodes.iter().copied().filter(|&i| takes(i)).collect();
        let whole = take.iter().filter(|&&i| !narrow(i)).count();
        longest = longest.max(whole);
        if take.is_empty() || matches!(kind, Kind::Dot | Kind::Sum) && take.len() == 1 {
            continue;
        }
        let start = function.instructions[nodes[0]].ip();
        let of_loop =
            |what: &str| format!("{what} in the loop at {start:#x}, of {} instructions", nodes.len());
        let those =
            |test: &dyn Fn(usize) -> bool| nodes.iter().copied().filter(|&i| test(i)).collect::<Vec<_>>();
        let instruction = |i: usize| &function.instructions[i];
        fault(&of_loop("computes with less than whole vectors"), those(&narrow));
        fault(&of_loop("multiplies without adding"), those(&|i| kind != Kind::Sum && unfused(i)));
        if kind == Kind::Update {
            continue;
        }
        let stores = those(&|i| stores_vector(instruction(i)));
        let (sums, operands) =
            stores.into_iter().partition::<Vec<_>, _>(|&i| stored_sum(&function.instructions, nodes, i));
        fault(&of_loop("keeps sums in memory"), sums);
        fault(&of_loop("runs out of registers, and stores operands"), operands);
    }
    let least = if kind == Kind::Update { 1 } else { MAIN };
    if longest < least {
        fault(&format!("has no loop that takes {least} whole vectors at a time"), vec![0]);
    }
    found
}

/// The faults of all functions that are compiled for an instruction set: calls of helpers that should have been inlined. They are
/// compiled without the level's instructions, and are given their vectors through memory.
pub(crate) fn check_calls(path: &Path) -> Vec<String> {
    let of_level = |name: &str| LEVELS.iter().any(|level| name.ends_with(&format!("::{}", level.name)));
    let compiled = functions(path, |name| name.starts_with(PLACE) && of_level(name));
    assert!(compiled.len() >= HOT.len() * LEVELS.len(), "only {} functions", compiled.len());
    compiled.iter().flat_map(calls).collect()
}

/// Calls of a function that it must not make.
pub(crate) fn calls(function: &Function) -> Vec<String> {
    let callees: BTreeSet<&str> =
        function.calls.iter().map(|(_, to)| &**to).filter(|to| !may_call(to)).collect();
    let to = |callee| function.calls.iter().filter(move |(_, to)| to == callee).map(|(call, _)| *call);
    let message = |&callee| message(function, &format!("calls {callee}"), &to(callee).collect::<Vec<_>>());
    callees.iter().map(message).collect()
}

/// Whether a function takes no vectors.
fn may_call(name: &str) -> bool {
    let panics = ["core::panicking::", "core::slice::index::slice_index_fail", "core::option::expect_failed"];
    let memory = ["memcpy", "memmove", "memset"];
    // In `f64`, which is an oracle, elementary functions are the system's and libm's, a number at a time.
    let elementary = ["exp", "log", "tanh", "libm::math::erf::erf"];
    panics.iter().any(|start| name.starts_with(start))
        || [&memory[..], &elementary].iter().any(|names| names.contains(&name))
}

fn message(function: &Function, what: &str, instructions: &[usize]) -> String {
    let text = function.text(instructions.iter().copied().take(SHOWN));
    let more = instructions.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("    and {more} more\n") } else { String::new() };
    format!("{} (at {:#x}) {what}:\n{text}{more}", function.name, function.address())
}
