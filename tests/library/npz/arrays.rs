//! The types, orders and headers of single arrays.

use gia_gpu::tensor_file::{Naming, NonFloat, Tensor};
use half::f16;

use super::support::*;

fn tensor(shape: &[usize], data: &[f32]) -> Tensor {
    Tensor { shape: shape.into(), data: data.into() }
}

const VALUES: [f32; 3] = [0.5, -1.25, 3.0];

fn bytes<const N: usize>(value: impl Fn(f32) -> [u8; N]) -> Vec<u8> {
    VALUES.iter().flat_map(|v| value(*v)).collect()
}

#[test]
fn floats_of_every_width_and_byte_order_become_f32() {
    let cases = [
        ("<f2", bytes(|v| f16::from_f32(v).to_le_bytes())),
        (">f2", bytes(|v| f16::from_f32(v).to_be_bytes())),
        ("<f4", bytes(f32::to_le_bytes)),
        (">f4", bytes(f32::to_be_bytes)),
        ("<f8", bytes(|v| f64::from(v).to_le_bytes())),
        (">f8", bytes(|v| f64::from(v).to_be_bytes())),
    ];
    for compressed in [false, true] {
        let members: Vec<_> = cases
            .iter()
            .map(|(descr, data)| (format!("{descr}.npy"), npy(descr, false, "(1, 3)", data)))
            .collect();
        let members: Vec<_> = members.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let file = read(&zip(&members, compressed)).unwrap();
        assert_eq!(file.naming, Naming::Named);
        assert!(file.metadata.is_empty() && file.non_float.is_empty());
        for (descr, _) in &cases {
            assert_eq!(file.tensors[*descr], tensor(&[1, 3], &VALUES), "{descr}");
        }
    }
}

#[test]
fn integers_and_bools_are_kept_aside_with_type_and_shape() {
    let cases = [
        ("|b1", 1, "BOOL"),
        ("|i1", 1, "I8"),
        ("<i2", 2, "I16"),
        (">i4", 4, "I32"),
        ("<i8", 8, "I64"),
        ("|u1", 1, "U8"),
        ("<u2", 2, "U16"),
        ("<u4", 4, "U32"),
        (">u8", 8, "U64"),
    ];
    for (descr, width, dtype) in cases {
        for (text, shape) in [("()", vec![]), ("(2, 3)", vec![2, 3])] {
            let data = vec![1; width * shape.iter().product::<usize>()];
            let file = read(&zip(&[("n.npy", npy(descr, false, text, &data))], true)).unwrap();
            assert_eq!(file.non_float["n"], NonFloat { dtype: dtype.into(), shape }, "{descr}");
            assert!(file.tensors.is_empty());
        }
    }
}

#[test]
fn fortran_order_becomes_row_major() {
    // Element (i, j, k) is 100i + 10j + k; on disk, i varies fastest.
    let (a, b, c) = (3, 2, 4);
    let value = |i: usize, j: usize, k: usize| (100 * i + 10 * j + k) as f32;
    let mut data = Vec::new();
    let mut expected = Vec::new();
    for n in 0..a * b * c {
        data.extend(value(n % a, n / a % b, n / (a * b)).to_le_bytes());
        expected.push(value(n / (b * c), n / c % b, n % c));
    }
    let file = read(&zip(&[("w.npy", npy("<f4", true, "(3, 2, 4)", &data))], false)).unwrap();
    assert_eq!(file.tensors["w"], tensor(&[3, 2, 4], &expected));
}

#[test]
fn arrays_beyond_one_buffer_are_whole_in_either_order() {
    let (rows, columns) = (301, 257);
    let data: Vec<u8> = (0..rows * columns).flat_map(|n| f64::from(n).to_be_bytes()).collect();
    for (fortran, compressed) in [(false, true), (true, false), (true, true)] {
        let bytes = zip(&[("w.npy", npy(">f8", fortran, "(301, 257)", &data))], compressed);
        let found = &read(&bytes).unwrap().tensors["w"];
        let expected =
            |n: u32| if fortran { n % columns as u32 * rows as u32 + n / columns as u32 } else { n };
        let all: Vec<f32> = (0..(rows * columns) as u32).map(|n| expected(n) as f32).collect();
        assert!(found.data == all, "fortran {fortran}");
    }
}

#[test]
fn scalars_and_empty_arrays_are_arrays() {
    for fortran in [false, true] {
        let members = [
            ("scalar.npy", npy("<f4", fortran, "()", &2f32.to_le_bytes())),
            ("empty.npy", npy("<f4", fortran, "(0, 3)", &[])),
        ];
        let file = read(&zip(&members, false)).unwrap();
        assert_eq!(file.tensors["scalar"], tensor(&[], &[2.0]));
        assert_eq!(file.tensors["empty"], tensor(&[0, 3], &[]));
    }
}

#[test]
fn headers_may_be_of_any_version_and_spacing() {
    let data = 2f32.to_le_bytes();
    let text = "{\"shape\":(1L,1 ) ,\"descr\" : \"<f4\",'fortran_order':False}";
    let long = |version: u8| {
        let length = (text.len() as u32).to_le_bytes();
        [&b"\x93NUMPY"[..], &[version, 0], &length, text.as_bytes(), &data].concat()
    };
    for bytes in [with_header(text, &data), long(2), long(3)] {
        let file = read(&zip(&[("a.npy", bytes)], false)).unwrap();
        assert_eq!(file.tensors["a"], tensor(&[1, 1], &[2.0]));
    }
}

#[test]
fn other_types_are_errors_that_name_member_and_type() {
    let cases = [
        ("|O", "pickled Python objects"),
        ("<U3", "text"),
        ("|S5", "text"),
        ("<c8", "complex numbers"),
        ("<f16", "long floats"),
        ("<M8[ns]", "times"),
        ("|V2", "bfloat16"),
        ("|f4", "without a byte order"),
        ("=f4", "has type =f4, expected"),
        ("<x9", "has type <x9, expected"),
        ("é", "has type é, expected"),
        ("", "has type , expected"),
    ];
    for (descr, says) in cases {
        let text = read_message(&zip(&[("fc.weight.npy", npy(descr, false, "(1,)", &[0; 16]))], false));
        assert!(text.starts_with(&format!("member 'fc.weight.npy' has type {descr}")), "{text}");
        assert!(text.contains(says), "{text}");
    }
    let structure = "{'descr': [('a', '<f4'), ('b', '<i2')], 'fortran_order': False, 'shape': (1,), }";
    let text = read_message(&zip(&[("a.npy", with_header(structure, &[0; 6]))], false));
    assert!(text.contains("has type [('a', '<f4'), ('b', '<i2')] (a structure)"), "{text}");
}

#[test]
fn headers_that_mean_nothing_are_errors() {
    let cases = [
        ("", "expected '{'"),
        ("{", "expected a string"),
        ("{}", "'descr' is missing"),
        ("{'descr': '<f4', 'shape': ()}", "'fortran_order' is missing"),
        ("{'descr': '<f4', 'fortran_order': False}", "'shape' is missing"),
        ("{'descr': '<f4', 'descr': '<f4'}", "'descr' is there twice"),
        ("{'descr': '<f4', 'evil': ((((", "unknown key 'evil'"),
        ("{'descr': 4}", "expected a string"),
        ("{'descr': '<f4}", "expected a string"),
        ("{'fortran_order': 1}", "expected True or False"),
        ("{'shape': 3}", "expected '('"),
        ("{'shape': (-1,)}", "expected a size"),
        ("{'shape': (1.5,)}", "expected ')'"),
        ("{'shape': (18446744073709551616,)}", "expected a size"),
        ("{'shape': (4294967296, 4294967296), 'descr': '<f4', 'fortran_order': True}", "more elements than"),
        ("{'shape': (4611686018427387904,), 'descr': '<f8', 'fortran_order': True}", "more elements than"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "expected its end"),
        (
            "{'shape': (1000000000000,), 'descr': '<f4', 'fortran_order': False}",
            "describes 4000000000128 bytes",
        ),
        (
            "{'shape': (3,), 'descr': '<f4', 'fortran_order': False}",
            "describes 140 bytes, the archive has 136",
        ),
    ];
    for (header, says) in cases {
        let text = read_message(&zip(&[("a.npy", with_header(header, &[0; 8]))], true));
        assert!(text.starts_with("member 'a.npy' ") && text.contains(says), "{text}");
    }
    let deep = format!("{{'shape': {}", "(".repeat(9000));
    assert!(read_message(&zip(&[("a.npy", with_header(&deep, &[]))], true)).contains("expected a size"));
    let huge = [&b"\x93NUMPY\x02\x00"[..], &u32::MAX.to_le_bytes()].concat();
    assert!(read_message(&zip(&[("a.npy", huge)], true)).contains("expected at most 10000"));
    for start in [&b""[..], b"\x93NUM", b"\x93NUMPY\x09\x00", b"not an array at all"] {
        assert!(read_message(&zip(&[("a.npy", start.into())], true)).contains("starts with bytes"));
    }
}
