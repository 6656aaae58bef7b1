//! The files of `shaders/`: each is WGSL together with what it imports, and names that do not fit are errors.
//! Needs no adapter.

use std::{collections::BTreeSet, path::Path};

use gia_gpu::device::gpu::wgsl::{Library, Text, Value, Values, WgslError, Words};
use naga::{
    Module, Scalar, TypeInner,
    valid::{Capabilities, ValidationFlags, Validator},
};

/// Parsed and found valid.
fn module(path: &str, source: &str) -> Module {
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{path}: {}", error.emit_to_string(source)));
    let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::SUBGROUP;
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .unwrap_or_else(|error| panic!("{path}: {}", error.emit_to_string(source)));
    module
}

#[test]
fn every_file_of_the_folder_is_in_the_library() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let names = |folder: &str| {
        let entries = std::fs::read_dir(root.join(folder)).unwrap();
        let names = entries.map(move |entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".wgsl")).collect::<Vec<_>>()
    };
    let parts = names("parts").into_iter().map(|name| format!("parts/{name}"));
    let found: BTreeSet<_> = names("").into_iter().chain(parts).collect();
    assert_eq!(Library::BUILT_IN.paths().map(str::to_string).collect::<BTreeSet<_>>(), found);
}

#[test]
fn every_file_parses_alone_with_what_it_imports() {
    for path in Library::BUILT_IN.paths() {
        let text = Library::BUILT_IN.alone(path).unwrap_or_else(|error| panic!("{error}"));
        let module = module(path, &text.source);
        let is_kernel = !path.starts_with("parts/");
        assert_eq!(module.entry_points.len(), usize::from(is_kernel), "{path}");
        // naga's HLSL leaves subgroup builtins in a struct unset.
        let mut arguments = module.entry_points.iter().flat_map(|entry| &entry.function.arguments);
        assert!(arguments.all(|argument| argument.binding.is_some()), "{path}");
        assert_eq!(
            !text.fields.is_empty(),
            is_kernel || ["parts/conv.wgsl", "parts/window.wgsl"].contains(&path)
        );
    }
}

#[test]
fn the_readme_explains_every_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for path in Library::BUILT_IN.paths() {
        let text = std::fs::read_to_string(folder.join(path)).unwrap();
        for word in text.lines().filter_map(|line| line.strip_prefix("//word ")) {
            let name = word.split(' ').next().unwrap();
            assert!(readme.contains(&format!("`{name}`")), "{name} of {path} is not in shaders/README.md");
        }
    }
}

/// The scalars of a struct with their offsets in bytes.
fn leaves(
    module: &Module,
    inner: &TypeInner,
    name: &str,
    offset: u32,
    found: &mut Vec<(String, String, u32)>,
) {
    match inner {
        TypeInner::Scalar(scalar) => {
            let kinds = [(Scalar::U32, "u32"), (Scalar::F32, "f32")];
            let kind = kinds.into_iter().find(|(known, _)| known == scalar).unwrap().1;
            found.push((name.to_string(), kind.to_string(), offset));
        }
        TypeInner::Struct { members, .. } => {
            for member in members {
                let dot = if name.is_empty() { "" } else { "." };
                let name = format!("{name}{dot}{}", member.name.as_ref().unwrap());
                leaves(module, &module.types[member.ty].inner, &name, offset + member.offset, found);
            }
        }
        _ => panic!("{name} is neither a number nor a struct"),
    }
}

#[test]
fn parameters_are_the_fields_that_naga_finds_word_after_word() {
    for path in Library::BUILT_IN.paths() {
        let text = Library::BUILT_IN.alone(path).unwrap();
        let module = module(path, &text.source);
        let mut found = Vec::new();
        if let Some((_, params)) = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Params")) {
            leaves(&module, &params.inner, "", 0, &mut found);
        }
        let ours = text.fields.iter().zip(0..).map(|(f, i)| (f.name.clone(), f.kind.to_string(), 4 * i));
        assert_eq!(ours.collect::<Vec<_>>(), found, "{path}");
    }
}

#[test]
fn parameters_go_where_their_names_say() {
    let text = Library::BUILT_IN.finish("gather", &Words::new()).unwrap();
    let params = Values::of([("width", 4usize), ("rows", 3), ("size", 1)]).set("fold", 2u32);
    assert_eq!(text.params(&params), Ok(vec![1, 2, 3, 4]));
    let text = Library::BUILT_IN.alone("probe_triad.wgsl").unwrap();
    let params = Values::of([("factor", 1.5f32)]).set("fold", 2u32).set("size", 1usize);
    assert_eq!(text.params(&params), Ok(vec![1, 2, 1.5f32.to_bits()]));
    let text = Library::BUILT_IN.alone("matmul.wgsl").unwrap();
    let names: Vec<_> = text.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names[..2], ["grid.groups", "grid.fold"]);
    assert_eq!(
        names[8..],
        "a.offset a.trial a.k a.across b.offset b.trial b.k b.across k split_len"
            .split(' ')
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_wrong_a_missing_and_an_extra_parameter_are_errors() {
    let text = Library::BUILT_IN.finish("gather", &Words::new()).unwrap();
    let all = || Values::of([("size", 1usize), ("fold", 2), ("rows", 3), ("width", 4)]);
    assert!(text.params(&all()).is_ok());
    let fails = |values: Values, expected: &str| {
        let error = text.params(&values).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    fails(
        Values::of([("size", 1usize), ("fold", 2), ("rows", 3), ("widht", 4)]),
        "gather: values for widht, which Params does not have: expected size, fold, rows, width",
    );
    fails(
        all().set("depth", 5usize),
        "gather: values for depth, which Params does not have: expected size, fold, rows, width",
    );
    fails(
        all().within("grid"),
        "gather: values for grid.fold, grid.rows, grid.size, grid.width, which Params does not have: expected \
         size, fold, rows, width",
    );
    fails(Values::of([("size", 1usize), ("rows", 3)]), "gather: no value for the parameters fold, width");
    fails(all().set("rows", 3usize), "gather: two values for rows");
    let three = || Values::of([("fold", 2usize), ("rows", 3), ("width", 4)]);
    fails(three().set("size", 1.0f32), "gather: the parameter size is u32; found f32");
    fails(three().set("size", 1usize << 32), "a size of 4294967296 is beyond 32-bit addresses");
    assert!(text.params(&three().set("size", Value::Word(u32::MAX))).is_ok());
}

#[test]
fn a_wrong_a_missing_and_an_extra_word_are_errors() {
    let fails = |words: Words, expected: &str| {
        let error = Library::BUILT_IN.finish("conv2d_grad_weight", &words).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    };
    let tile = || {
        let sizes = ["ROWS", "COLS", "DEPTH", "LOADS_A", "LOADS_B"].into_iter();
        let words = sizes.fold(Words::new(), |words, name| words.set(name, 4)).set("BANDS", 1);
        words.set("SUMS", "sums4").set("SLICE", "slice_f32").set("EXACT", false)
    };
    let whole = Library::BUILT_IN.finish("conv2d_grad_weight", &tile().set("PADDED", true)).unwrap();
    module("conv2d_grad_weight", &whole.source);
    fails(tile(), "shaders/conv2d_grad_weight.wgsl: no value for PADDED");
    fails(
        tile().set("PADDED", true).set("ALIGNED", true),
        "shaders/conv2d_grad_weight.wgsl: a value for ALIGNED, which neither it nor what it imports declares: \
         expected BANDS, COLS, DEPTH, EXACT, LOADS_A, LOADS_B, PADDED, ROWS, SLICE, SUMS",
    );
    // Follows from ROWS and COLS.
    fails(
        tile().set("PADDED", true).set("THREADS", 16),
        "shaders/conv2d_grad_weight.wgsl: a value for THREADS",
    );
    fails(tile().set("PADDED", true).set("ROWS", 4), "shaders/conv2d_grad_weight.wgsl: two values for ROWS");
    // Fixed where the part is imported.
    let error = Library::BUILT_IN.finish("conv2d_grad_weight_direct", &Words::new().set("LANES", 8));
    assert!(matches!(error, Err(WgslError::Undeclared { name, .. }) if name == "LANES"));
}

fn alone(files: &[(&str, &str)]) -> Result<Text, WgslError> {
    Library::new(files).alone("kernel.wgsl")
}

#[test]
fn imports_act_once_and_with_what_they_fix() {
    let kernel = "//word WHICH = one\n//import parts/{{WHICH}}.wgsl\n//import parts/twice.wgsl x=a N=2\n\
                  //import parts/twice.wgsl x=b N=3\n//import parts/one.wgsl\nfn kernel() {}\n";
    let files = [
        ("kernel.wgsl", kernel),
        ("parts/one.wgsl", "fn one() {}\n"),
        ("parts/two.wgsl", "//import parts/one.wgsl\n\nenable f16;\nalias Two = f16;\n"),
        (
            "parts/twice.wgsl",
            "//word x = y\n//import parts/one.wgsl\noverride N_{{x}}: u32 = 1;\noverride N: u32 = 7;\n//repeat i N\n\
             const {{x}}{{i}} = {{i}}u;\n//end\noverride M_{{x}} = 2 * N_{{x}};\n",
        ),
    ];
    let text = alone(&files[..]).unwrap().source;
    assert_eq!(text.matches("fn one()").count(), 1, "{text}");
    for line in ["const N_a: u32 = 1;", "const N_b: u32 = 1;", "const M_b = 2 * N_b;", "const a1 = 1u;"] {
        assert!(text.contains(line), "{text}");
    }
    let words = Words::new().set("WHICH", "two").set("N_a", 4).set("N_b", 5);
    let text = Library::new(&files).finish("kernel", &words).unwrap().source;
    assert!(text.starts_with("enable f16;\n"), "{text}");
    assert!(text.contains("const N_a: u32 = 4;") && text.contains("const N_b: u32 = 5;"), "{text}");
}

#[test]
fn lines_that_cannot_be_read_are_named() {
    let part = ("parts/part.wgsl", "//word x = 1\noverride N: u32 = 1;\n");
    let cases = [
        ("\n//import parts/none.wgsl", "shaders/kernel.wgsl: there is no file shaders/parts/none.wgsl"),
        ("\n//import parts/part.wgsl x", "shaders/kernel.wgsl:2: expected //import PATH NAME=VALUE …: "),
        (
            "//import parts/part.wgsl y=1",
            "shaders/parts/part.wgsl: a value for y, which neither it nor what it imports declares: expected N, x",
        ),
        ("//word SIZE", "shaders/kernel.wgsl:1: expected //word NAME = DEFAULT: //word SIZE"),
        ("let a = {{SIZE}};", "shaders/kernel.wgsl:1: neither a word nor repeated: let a = {{SIZE}};"),
        ("override N: u32;", "shaders/kernel.wgsl:1: expected override NAME: TYPE = DEFAULT; in one line: "),
        (
            "//repeat i N\n//end",
            "shaders/kernel.wgsl:1: expected //repeat NAME COUNT, a number or a constant: ",
        ),
        ("//repeat i 3\na{{i}}", "shaders/kernel.wgsl:1: no //end to //repeat i 3"),
        ("a\n//end", "shaders/kernel.wgsl:2: neither a word nor repeated: //end"),
        (
            "struct Params {\n    a: vec2f,\n}",
            "shaders/kernel.wgsl: the parameter a is vec2f: expected u32, f32 or a struct of them",
        ),
    ];
    for (kernel, expected) in cases {
        let error = alone(&[("kernel.wgsl", kernel), part]).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}
