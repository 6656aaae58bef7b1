//! What the compiler made of the CPU device's inner loops, for every instruction set that is compiled in: products and sums
//! take whole vectors, and stay in registers. Read from this test's own machine code, whatever processor runs it: optimised code
//! of x86-64 in an ELF file.

#![cfg(all(target_arch = "x86_64", target_os = "linux", not(debug_assertions)))]

mod functions;
mod loops;
mod rules;

use std::{env, path::Path};

use functions::Function;
use gia_gpu::{
    device::cpu::{Cpu, Number},
    plan::{
        Plan,
        kernel::{Kernel, MatmulKernel, MatrixView},
    },
};
use rules::{AVX512, Kind, calls, check, check_calls, faults};

/// Runs a plan of one step, so that the device, and with it every kernel, is part of this executable.
fn link_device<R: Number>() {
    let view = MatrixView { offset: 0, trial: 0, row: 1, col: 1 };
    let kernel = MatmulKernel { trials: 1, m: 1, n: 1, k: 1, a: view, b: view };
    let plan = Plan::of_kernel(Kernel::Matmul(kernel), &[1, 1], 1);
    let mut executable = Cpu::<R>::new().compile_typed(&plan).expect("the plan is sound");
    executable.run(1).expect("the plan runs");
}

#[test]
fn hot_loops_take_whole_vectors_and_keep_sums_in_registers() {
    link_device::<f32>();
    link_device::<f64>();
    let sizes = [size_of::<f32>(), size_of::<f64>()];
    let found = check(&env::current_exe().expect("this test has a file"), &sizes);
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

/// Of the program that is released. A profile for daily work compiles without inlining from one unit of the library
/// into another, so that an edit compiles little again: there the same helpers are called.
#[test]
fn helpers_are_inlined_at_every_level() {
    link_device::<f32>();
    link_device::<f64>();
    let file = env::current_exe().expect("this test has a file");
    // target/PROFILE/deps/engine-…
    let profile = file.ancestors().nth(2).and_then(Path::file_name).expect("a profile has a folder");
    if profile != "release" {
        eprintln!(
            "skipped: the profile {} does not inline across units, `--release` does",
            profile.display()
        );
        return;
    }
    let found = check_calls(&file);
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

/// Four sums of whole vectors, which are written after the loop.
#[test]
fn a_good_loop_has_no_faults() {
    let code = [
        &[0x62, 0xf2, 0x5d, 0x48, 0xb8, 0x07][..], // vfmadd231ps zmm0,zmm4,[rdi]
        &[0x62, 0xf2, 0x5d, 0x48, 0xb8, 0x4f, 0x01], // vfmadd231ps zmm1,zmm4,[rdi+40h]
        &[0x62, 0xf2, 0x5d, 0x48, 0xb8, 0x57, 0x02], // vfmadd231ps zmm2,zmm4,[rdi+80h]
        &[0x62, 0xf2, 0x5d, 0x48, 0xb8, 0x5f, 0x03], // vfmadd231ps zmm3,zmm4,[rdi+0C0h]
        &[0x48, 0x81, 0xc7, 0x00, 0x01, 0x00, 0x00], // add rdi,100h
        &[0x48, 0xff, 0xc9, 0x75, 0xd9],           // dec rcx; jne to the first
        &[0x62, 0xf1, 0x7c, 0x48, 0x11, 0x06, 0xc3], // vmovups [rsi],zmm0; ret
    ];
    let function = Function::of_code("good", &code.concat());
    assert_eq!(faults(&function, AVX512, Kind::Tile), Vec::<String>::new());
    assert_eq!(calls(&function), Vec::<String>::new());
}

/// What the compiler once made of Winograd's products: a number at a time, with its sum in memory.
#[test]
fn scalar_sums_in_memory_are_faults() {
    let code = [
        &[0xc5, 0xfa, 0x10, 0x0f][..],         // vmovss xmm1,[rdi]
        &[0xc4, 0xe2, 0x79, 0xa9, 0x0e],       // vfmadd213ss xmm1,xmm0,[rsi]
        &[0xc5, 0xfa, 0x11, 0x0e],             // vmovss [rsi],xmm1
        &[0x48, 0x83, 0xc7, 0x04],             // add rdi,4
        &[0x48, 0xff, 0xc9, 0x75, 0xea, 0xc3], // dec rcx; jne to the first; ret
    ];
    let found = faults(&Function::of_code("bad", &code.concat()), AVX512, Kind::Tile).join("\n");
    assert!(found.contains("computes with less than whole vectors in the loop at 0x0"), "{found}");
    assert!(found.contains("keeps sums in memory in the loop at 0x0"), "{found}");
    assert!(found.contains("vfmadd213ss xmm1,xmm0,[rsi]") && found.contains("vmovss [rsi],xmm1"), "{found}");
    assert!(found.contains("has no loop that takes 4 whole vectors"), "{found}");
}
