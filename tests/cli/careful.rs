//! What belongs to the user stays as it was, and what cannot give a result says so.

use std::{collections::BTreeMap, fs, path::Path, process::Stdio};

use gia_gpu::tensor_file::{GradientFile, Tensor, TensorFile};

use crate::support::*;

#[test]
fn an_input_is_never_written_to() {
    let Captured { folder, picture, gradient, weights } = captured();
    let before = files(folder.path());
    let capture = format!("capture --images {picture} --labels 1 --weights {weights} --device cpu");
    fail(2, &format!("{capture} --out {picture}"), &[&picture, "is an input"]);
    fail(2, &format!("{capture} --out {weights}"), &[&weights, "is an input"]);
    let name = Path::new(&gradient).file_name().unwrap().display().to_string();
    let detour = folder.path().join(".").join(name).display().to_string();
    fail(2, &format!("{capture} --out {gradient} --save-weights {detour}"), &["same file"]);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn no_output_of_a_capture_is_written_unless_all_can_be() {
    let Captured { folder, picture, .. } = captured();
    let before = files(folder.path());
    let [weights, out] = ["new.safetensors", "nowhere/g.safetensors"].map(|name| folder.path().join(name));
    let (weights, out) = (weights.display().to_string(), out.display().to_string());
    let capture = format!("capture --images {picture} --labels 1 --device cpu");
    fail(1, &format!("{capture} --save-weights {weights} --out {out}"), &[&out]);
    fail(1, &format!("{capture} --save-weights {out} --out {weights}"), &[&out]);
    assert_eq!(files(folder.path()), before);
}

#[test]
fn a_report_replaces_its_own_pictures_and_keeps_the_users() {
    let out = folder();
    let dir = out.path().display();
    succeed(&format!("run --batches 3 --iterations 1 --device cpu --force --out {dir}"));
    let own = out.path().join("images/holiday.png");
    fs::write(&own, "mine").unwrap();
    succeed(&format!("run --iterations 1 --device cpu --force --out {dir}"));
    let names: Vec<_> = files(&out.path().join("images")).into_keys().collect();
    assert_eq!(
        names,
        ["holiday.png", "original_00.png", "reconstruction_00.png"].map(std::path::PathBuf::from)
    );
    assert_eq!(fs::read(own).unwrap(), b"mine");
}

#[test]
fn a_report_does_not_go_into_its_data_set() {
    let data = folder();
    fs::create_dir(data.path().join("cat")).unwrap();
    gia_gpu::data::samples().picture(0).unwrap().write_png(&data.path().join("cat/0.png")).unwrap();
    let dir = data.path().display();
    fail(2, &format!("run --data {dir} --out {dir} --classes 2"), &["--out", "data set"]);
    fail(2, &format!("run --data {dir} --out {dir}/o"), &["--out", "lies in an input"]);
    let out = folder();
    fail(
        2,
        &format!("run --data {dir} --out {}/o", out.path().display()),
        &["classes", "found 1", "always 0"],
    );
    assert_eq!(files(data.path()).len(), 1);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    for arguments in ["plan --arch convnet4", "devices --json"] {
        let mut child = program()
            .args(arguments.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{arguments}");
    }
}

#[cfg(unix)]
#[test]
fn a_folder_whose_name_is_not_unicode_is_written_to() {
    use std::os::unix::ffi::OsStrExt;
    let out = folder();
    let dir = out.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    let mut command = program();
    command.args(["run", "--iterations", "1", "--device", "cpu", "--force", "--out"]).arg(&dir);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(dir.join("report.json").exists());
}

#[test]
fn a_gradient_of_zeros_is_refused() {
    let captured = captured();
    let GradientFile { file, info } = GradientFile::read(Path::new(&captured.gradient)).unwrap();
    let zeros = |(name, t): (String, Tensor)| (name, Tensor { data: vec![0.0; t.data.len()], ..t });
    let path = captured.folder.path().join("zeros.safetensors");
    GradientFile::write(&path, &file.tensors.into_iter().map(zeros).collect(), &info).unwrap();
    let out = captured.folder.path().join("out");
    let files =
        format!("--weights {} --gradient {} --out {}", captured.weights, path.display(), out.display());
    fail(1, &format!("invert --arch lenet-zhu {files} --device cpu"), &["is 0 in every element"]);
    assert!(!out.exists());
}

#[test]
fn a_training_step_that_overflows_sends_nothing() {
    let captured = captured();
    let mut tensors = TensorFile::read(Path::new(&captured.weights)).unwrap().tensors;
    tensors.get_mut("fc.0.weight").unwrap().data.fill(3e38);
    let path = captured.folder.path().join("huge.safetensors");
    TensorFile::write(&path, &tensors, &BTreeMap::new()).unwrap();
    let out = captured.folder.path().join("new.safetensors");
    let common = format!("--weights {} --device cpu --out {}", path.display(), out.display());
    let words = ["gradient of tensor", "not finite", "overflows"];
    fail(1, &format!("capture --images {} --labels 2 {common}", captured.picture), &words);
    fail(1, &format!("run --iterations 3 {common}"), &words);
    assert!(!out.exists());
}

#[test]
fn sizes_beyond_memory_and_sense_are_refused_at_once() {
    let out = folder();
    let dir = out.path().join("o").display().to_string();
    fail(2, &format!("run --classes 1000000000 --force --out {dir}"), &["classes", "1000000000"]);
    fail(2, "plan --classes 0", &["classes", "found 0"]);
    fail(2, "plan --batch 4096 --trials 4096", &["--batch 4096", "--trials 4096", "65536"]);
    fail(
        1,
        &format!("run --arch convnet4096 --classes 1048576 --force --out {dir}"),
        &["convnet4096", "bytes"],
    );
    assert!(!Path::new(&dir).exists());
}

/// Pictures are 8-bit here and floats in the fixture: a two-hundredth, where a wrong tensor would be off by 1.
#[test]
fn weights_with_pytorch_names_give_the_gradient_that_pytorch_gives() {
    let read = |name: &str| TensorFile::read(Path::new(&fixture(name))).unwrap().tensors;
    for (architecture, stem) in [("lenet-zhu", "lenet_zhu"), ("convnet4", "convnet")] {
        let (out, x) = (folder(), read(&format!("{stem}_inputs"))["x"].clone());
        let pictures =
            gia_gpu::data::Normalisation::default().denormalise(&x.data, x.shape[2], x.shape[3]).unwrap();
        let path = |name: &str| out.path().join(name).display().to_string();
        for (i, picture) in pictures.iter().enumerate() {
            picture.write_png(Path::new(&path(&format!("{i}.png")))).unwrap();
        }
        succeed(&format!(
            "capture --arch {architecture} --weights {} --images {} {} --labels 3,7 --device cpu --out {}",
            fixture(&format!("{stem}_weights")),
            path("0.png"),
            path("1.png"),
            path("g")
        ));
        let found = TensorFile::read(Path::new(&path("g"))).unwrap().tensors;
        let expected = read(&format!("{stem}_grad"));
        let (mut error, mut norm) = (0.0, 0.0);
        for (name, tensor) in &found {
            for (a, b) in tensor.data.iter().zip(&expected[&format!("grad.{name}")].data) {
                error += f64::from(a - b).powi(2);
                norm += f64::from(*b).powi(2);
            }
        }
        assert!(error.sqrt() < 0.05 * norm.sqrt(), "{architecture}: {}", (error / norm).sqrt());
    }
}

#[test]
fn capture_and_invert_find_what_run_finds() {
    let out = folder();
    let path = |name: &str| out.path().join(name).display().to_string();
    let attack = "--arch convnet2 --iterations 20 --seed 3 --device cpu";
    succeed(&format!("run {attack} --class-order data-set --force --out {}", path("run")));
    succeed(&format!(
        "capture --arch convnet2 --seed 3 --images {} --labels 2 --device cpu --out {} --save-weights {}",
        path("run/images/original_00.png"),
        path("g"),
        path("w")
    ));
    succeed(&format!(
        "invert {attack} --weights {} --gradient {} --force --out {}",
        path("w"),
        path("g"),
        path("inv")
    ));
    let picture = |folder: &str| fs::read(path(&format!("{folder}/images/reconstruction_00.png"))).unwrap();
    assert!(picture("run") == picture("inv"));
    let [run, inv] = ["run", "inv"].map(|name| report(Path::new(&path(name))));
    assert_eq!(run["batches"][0]["restarts"], inv["batches"][0]["restarts"]);
}
