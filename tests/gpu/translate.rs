//! Every shader variant, filled in, through naga to SPIR-V (Vulkan), MSL (Metal) and HLSL (DX12).
//! Needs no adapter.

use std::collections::BTreeMap;

use crate::step_cases::{
    fused,
    shapes::{self, Conv},
};
use gia_gpu::device::gpu::{Gpu, Style, TILES};
use naga::{
    back::{hlsl, msl, spv},
    valid::{Capabilities, ModuleInfo, ValidationFlags, Validator},
};

/// What every device has, and what some have.
const STYLES: [Style; 2] = [
    Style { tile: None, subgroups: false, half_tiles: false },
    Style { tile: None, subgroups: true, half_tiles: true },
];

/// The distinct shaders of all cases, by text.
fn shaders() -> BTreeMap<String, &'static str> {
    let convs = [Conv::Forward, Conv::GradInput, Conv::GradWeight].into_iter().flat_map(shapes::convs);
    let cases = shapes::matmuls()
        .into_iter()
        .chain(convs)
        .chain(shapes::windows())
        .chain(shapes::gathers())
        .chain(fused::maps())
        .chain(fused::map_reduces())
        .chain(fused::every_instruction());
    let cases = cases.flat_map(|case| STYLES.map(|style| (case.plan(), style)));
    // In each tile, whether or not it suits.
    let tiled = shapes::tiled().into_iter().flat_map(|case| {
        TILES.into_iter().flat_map(move |(tile, _)| {
            let plan = case.plan();
            STYLES.map(|style| (plan.clone(), Style { tile: Some(tile), ..style }))
        })
    });
    cases
        .chain(tiled)
        .flat_map(|(plan, style)| Gpu::shaders(&plan, style).unwrap())
        .chain(Gpu::probe_shaders().unwrap())
        .map(|shader| (shader.source, shader.kernel))
        .collect()
}

/// Those that the text shows to need.
fn capabilities(source: &str) -> Capabilities {
    let all =
        [("enable f16;", Capabilities::SHADER_FLOAT16), ("@builtin(subgroup_size)", Capabilities::SUBGROUP)];
    let needed = all.into_iter().filter(|(sign, _)| source.contains(sign));
    needed.fold(Capabilities::empty(), |sum, (_, one)| sum | one)
}

fn parse(kernel: &str, source: &str) -> (naga::Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{kernel}: {}", error.emit_to_string(source)));
    let info = Validator::new(ValidationFlags::all(), capabilities(source))
        .validate(&module)
        .unwrap_or_else(|error| panic!("{kernel}: {}\n{source}", error.emit_to_string(source)));
    (module, info)
}

#[test]
fn every_shader_file_is_tried() {
    let tried: Vec<_> = shaders().into_values().collect();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "wgsl") {
            let kernel = path.file_stem().unwrap().to_str().unwrap();
            assert!(tried.contains(&kernel), "{kernel} is not among the cases");
        }
    }
}

#[test]
fn every_tile_is_tried_exact_and_at_an_edge() {
    let kernels = ["matmul", "conv2d", "conv2d_grad_input", "conv2d_grad_weight"];
    for (tile, _) in TILES {
        let style = Style { tile: Some(tile), ..Style::default() };
        let shaders = shapes::tiled().into_iter().flat_map(|case| Gpu::shaders(&case.plan(), style).unwrap());
        let tried: Vec<_> = shaders.map(|shader| (shader.kernel, shader.variant)).collect();
        for kernel in kernels {
            for variant in [tile.name(), format!("{}-edge", tile.name())] {
                assert!(
                    tried.contains(&(kernel, variant.clone())),
                    "{kernel} {variant} is not among the cases"
                );
            }
        }
    }
}

#[test]
fn every_shader_translates_to_spirv() {
    for (source, kernel) in shaders() {
        let (module, info) = parse(kernel, &source);
        let options = spv::Options { fake_missing_bindings: true, ..Default::default() };
        spv::write_vec(&module, &info, &options, None).unwrap_or_else(|error| panic!("{kernel}: {error}"));
    }
}

#[test]
fn every_shader_translates_to_msl() {
    for (source, kernel) in shaders() {
        let (module, info) = parse(kernel, &source);
        let options = msl::Options { fake_missing_bindings: true, ..Default::default() };
        msl::write_string(&module, &info, &options, &Default::default())
            .unwrap_or_else(|error| panic!("{kernel}: {error}"));
    }
}

#[test]
fn every_shader_translates_to_hlsl() {
    for (source, kernel) in shaders() {
        let (module, info) = parse(kernel, &source);
        // Subgroups and 16-bit floats came with later models; DX12 has them, FXC has not.
        let shader_model = match capabilities(&source).is_empty() {
            true => hlsl::ShaderModel::V5_1,
            false => hlsl::ShaderModel::V6_2,
        };
        let options = hlsl::Options { fake_missing_bindings: true, shader_model, ..Default::default() };
        let mut text = String::new();
        hlsl::Writer::new(&mut text, &options, &Default::default())
            .write(&module, &info, None)
            .unwrap_or_else(|error| panic!("{kernel}: {error}"));
    }
}

#[test]
fn kernels_keep_within_the_resources_that_every_device_has() {
    for (source, kernel) in shaders() {
        let (module, info) = parse(kernel, &source);
        let entry = &module.entry_points[0];
        assert_eq!((module.entry_points.len(), entry.name.as_str()), (1, "main"), "{kernel}");
        assert!(entry.workgroup_size.iter().product::<u32>() <= 256, "{kernel}");
        let used = |space| {
            let globals = module.global_variables.iter();
            let used = globals.filter(move |(handle, variable)| {
                variable.space == space && !info.get_entry_point(0)[*handle].is_empty()
            });
            used.map(|(_, variable)| variable)
        };
        let storage = module.global_variables.iter();
        let storage = storage.filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. })).count();
        assert!(storage <= 7, "{kernel} binds {storage} storage buffers");
        let shared: u32 = used(naga::AddressSpace::WorkGroup)
            .map(|variable| module.types[variable.ty].inner.size(module.to_ctx()))
            .sum();
        assert!(shared <= 16 << 10, "{kernel} uses {shared} bytes of workgroup memory");
    }
}
