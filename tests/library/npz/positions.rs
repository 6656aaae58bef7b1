//! Arrays without names, matched to the tensors of a `state_dict`.

use gia_gpu::tensor_file::{
    Candidate, Extra, GradientFile, Naming, ParameterSpec, PositionHint, Tensor, TensorFile,
    TensorFileError as Error,
};

use super::support::*;

/// The model of `make_npz.py`.
fn all() -> Vec<ParameterSpec> {
    vec![
        spec("conv.weight", &[4, 3, 2, 2]),
        spec("conv.bias", &[4]),
        spec("bn.weight", &[4]),
        spec("bn.bias", &[4]),
        spec("bn.running_mean", &[4]),
        spec("bn.running_var", &[4]),
        spec("bn.num_batches_tracked", &[]),
        spec("hidden.weight", &[5, 16]),
        spec("hidden.bias", &[5]),
        spec("fc.weight", &[2, 5]),
        spec("fc.bias", &[2]),
    ]
}

fn without(parts: &[&str]) -> Vec<ParameterSpec> {
    all().into_iter().filter(|spec| !parts.iter().any(|part| spec.name.contains(part))).collect()
}

fn candidates() -> Vec<Candidate<'static>> {
    vec![
        ("parameters with a gradient", without(&["running", "num_batches"])),
        ("all float tensors", without(&["num_batches"])),
        ("all tensors", all()),
    ]
}

fn shapes(specs: &[ParameterSpec]) -> Vec<&[usize]> {
    specs.iter().map(|spec| spec.shape.as_slice()).collect()
}

#[test]
fn what_numpy_writes_is_matched_in_order() {
    let path = crate::common::fixture_path("positional").with_extension("npz");
    let file = TensorFile::read(&path).unwrap();
    assert_eq!(file.naming, Naming::Positional);
    assert_eq!(file.non_float["arr_6"].dtype, "I64");
    assert_eq!(file.positions().unwrap(), shapes(&all()));
    let matching = file.match_positions(&candidates()).unwrap();
    assert_eq!(matching.file.naming, Naming::Named);
    assert!(matching.file.positions().is_none());
    for (i, spec) in all().iter().enumerate() {
        let (array, name, shape) = &matching.report.pairs[i];
        assert_eq!((array, name, shape), (&format!("arr_{i}"), &spec.name, &spec.shape));
        if spec.name != "bn.num_batches_tracked" {
            let expected: Vec<f32> =
                (0..spec.shape.iter().product::<usize>()).map(|n| i as f32 + 0.5 * n as f32).collect();
            let Tensor { shape, data } = &matching.file.tensors[&spec.name];
            assert_eq!((shape, data), (&spec.shape, &expected), "{name}");
        }
    }
    assert!(!matching.file.tensors.contains_key("arr_0"));
    assert_eq!(matching.file.non_float["bn.num_batches_tracked"].dtype, "I64");
    assert_eq!(matching.report.list, "all tensors");
    assert_eq!(
        matching.report.to_string(),
        "11 arrays without names, taken in state_dict order for all tensors\n  \
         arr_0 is conv.weight [4, 3, 2, 2]\n  ...\n  arr_10 is fc.bias [2]\n\
         5 of 11 share their shape with another: the order of those is not verified"
    );
    let parameters = without(&["running", "num_batches"]);
    let found =
        matching.file.parameters(&parameters, Extra::Allow(&["running_mean", "running_var"])).unwrap();
    assert_eq!(found[7].data, [10.0, 10.5]);
}

#[test]
fn the_count_chooses_the_candidate() {
    for (list, specs) in candidates() {
        let file = read(&positional(&shapes(&specs))).unwrap();
        let (named, report) = file.by_name(&candidates()).unwrap();
        let report = report.unwrap();
        assert_eq!(report.list, list);
        assert_eq!(report.pairs.len(), specs.len());
        // The counter is a float here, as it is once a server has averaged it.
        let floats = specs.iter().filter(|spec| !spec.name.ends_with("num_batches_tracked"));
        assert!(floats.map(|spec| &spec.name).eq(sorted_as(&named, &specs).iter()), "{list}");
    }
    let file = read(&positional(&[&[4]])).unwrap();
    assert_eq!(
        message(file.match_positions(&candidates()).unwrap_err()),
        "1 arrays without names, expected 8 (parameters with a gradient) or 10 (all float tensors) \
         or 11 (all tensors)"
    );
}

/// Names of the float tensors in `specs`' order.
fn sorted_as(file: &TensorFile, specs: &[ParameterSpec]) -> Vec<String> {
    let names: Vec<String> =
        specs.iter().map(|spec| spec.name.clone()).filter(|name| file.tensors.contains_key(name)).collect();
    assert_eq!(names.len(), file.tensors.len());
    names
}

#[test]
fn of_candidates_with_one_count_the_one_that_fits_is_taken() {
    let lists = [
        ("weights first", vec![spec("w", &[2, 3]), spec("b", &[2])]),
        ("biases first", vec![spec("b", &[2]), spec("w", &[2, 3])]),
    ];
    let file = read(&positional(&[&[2], &[2, 3]])).unwrap();
    let report = file.match_positions(&lists).unwrap().report;
    assert_eq!(report.list, "biases first");
    assert_eq!(
        report.to_string(),
        "2 arrays without names, taken in state_dict order for biases first\n  arr_0 is b [2]\n  \
         arr_1 is w [2, 3]\nno two have the same shape, so the order is certain"
    );
    let one = read(&positional(&[&[2]])).unwrap().match_positions(&[("one", vec![spec("b", &[2])])]).unwrap();
    assert_eq!(one.report.to_string().lines().count(), 3);
    assert!(one.report.to_string().contains("arr_0 is b [2]"));
}

#[test]
fn the_first_array_that_does_not_fit_is_named() {
    let model = without(&["bn"]);
    let lists = [("parameters with a gradient", model.clone())];
    let error = |shapes: &[&[usize]]| read(&positional(shapes)).unwrap().match_positions(&lists).unwrap_err();

    let mut permuted = shapes(&model);
    permuted.swap(2, 4);
    let text = "array 'arr_2' (3 of 6) has shape [2, 5], expected [5, 16] for 'hidden.weight' (parameters with \
                a gradient): the arrays look permuted, all shapes are there in another order and 'arr_4' has this \
                one";
    assert_eq!(message(error(&permuted)), text);

    let mut transposed = shapes(&model);
    transposed[2] = &[16, 5];
    let Error::Position { mismatch, .. } = error(&transposed) else { panic!("another error") };
    assert_eq!((mismatch.position, mismatch.hint), (2, PositionHint::Transposed));

    let mut wider = shapes(&model);
    wider[5] = &[3];
    assert_eq!(
        message(error(&wider)),
        "array 'arr_5' (6 of 6) has shape [3], expected [2] for 'fc.bias' (parameters with a gradient)"
    );
}

#[test]
fn counters_are_ignored_whatever_their_type() {
    let lists = [("all tensors", vec![spec("bn.num_batches_tracked", &[]), spec("w", &[2])])];
    let float = npy("<f8", false, "(1,)", &2.5f64.to_le_bytes());
    for array in [counter(), float] {
        let bytes = zip(&[("arr_0.npy", array), ("arr_1.npy", zeros(&[2]))], false);
        let file = read(&bytes).unwrap().match_positions(&lists).unwrap().file;
        assert_eq!(file.parameters(&[spec("w", &[2])], Extra::Reject).unwrap().len(), 1);
    }
    let two = npy("<i8", false, "(2,)", &[0; 16]);
    let bytes = zip(&[("arr_0.npy", two), ("arr_1.npy", zeros(&[2]))], false);
    assert!(matches!(read(&bytes).unwrap().match_positions(&lists), Err(Error::Position { .. })));
    // An integer array in a parameter's place is found when the parameter is asked for.
    let file = read(&zip(&[("arr_0.npy", counter())], false)).unwrap();
    let file = file.match_positions(&[("x", vec![spec("w", &[])])]).unwrap().file;
    let text = message(file.parameters(&[spec("w", &[])], Extra::Any).unwrap_err());
    assert!(text.starts_with("tensor 'w' has type I64"), "{text}");
}

#[test]
fn names_cannot_be_asked_for_before_they_are_known() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("gradient.npz");
    let lists = [("parameters with a gradient", vec![spec("w", &[2, 3]), spec("b", &[2])])];
    std::fs::write(&path, positional(&[&[2, 3], &[2]])).unwrap();
    let gradient = GradientFile::read(&path).unwrap();
    let text = message(gradient.gradients(&lists[0].1).unwrap_err());
    assert!(text.starts_with("tensor 'w' is missing, the 2 arrays have no names but 'arr_0'"), "{text}");
    let (gradient, report) = gradient.by_name(&lists).unwrap();
    assert_eq!(report.unwrap().alike, 0);
    assert_eq!(gradient.gradients(&lists[0].1).unwrap()[1].shape, [2]);
    assert!(matches!(gradient.file.match_positions(&lists), Err(Error::NotPositional { .. })));
}
