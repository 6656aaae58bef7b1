use std::{fs, path::Path};

use gia_gpu::data::{Dataset, Picture, samples};

use super::{cifar_record, gzip, idx, message, put};

#[test]
fn class_folders_are_labelled_by_sorted_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [("cat/2.png", 0.4), ("cat/1.png", 0.2), ("ant/x.png", 0.6)] {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        Picture::flat(3, 8, 8, value).unwrap().write_png(&folder.path().join(name)).unwrap();
    }
    put(folder.path(), "cat/notes.txt", b"passed over");
    put(folder.path(), "README.md", b"passed over");
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.name, folder.path().file_name().unwrap().to_str().unwrap());
    assert_eq!(dataset.class_names, ["ant", "cat"]);
    assert_eq!(dataset.labels(), [0, 1, 1]);
    let first = |index| dataset.picture(index).unwrap().pixels[0];
    assert_eq!([first(0), first(1), first(2)], [0.6, 0.2, 0.4]);

    let part = folder.path().join("pets/Test");
    fs::create_dir_all(&part).unwrap();
    fs::rename(folder.path().join("ant"), part.join("ant")).unwrap();
    assert_eq!(Dataset::open(&part).unwrap().name, "pets/Test");
    fs::rename(part.join("ant"), folder.path().join("ant")).unwrap();
    fs::remove_dir_all(folder.path().join("pets")).unwrap();

    fs::create_dir(folder.path().join("dog")).unwrap();
    // A class of which a client has nothing is one all the same.
    assert_eq!(Dataset::open(folder.path()).unwrap().class_names, ["ant", "cat", "dog"]);
}

#[test]
fn cifar_batches_are_read_in_order_as_a_file_and_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "data_batch_2.bin", &cifar_record(9, 100));
    put(folder.path(), "data_batch_1.bin", &[cifar_record(3, 0), cifar_record(0, 7)].concat());
    put(folder.path(), "test_batch.bin", &cifar_record(5, 50));
    let dataset = Dataset::open(folder.path()).unwrap();
    assert_eq!(dataset.labels(), [3, 0, 9]);
    assert_eq!(dataset.class_names[3], "cat");
    let picture = dataset.picture(1).unwrap();
    assert_eq!(picture.shape(), [3, 32, 32]);
    // Byte 1024 is the first of the green plane.
    assert_eq!(picture.pixels[1024], (7 + 1024 % 251) as f32 / 255.0);

    let test = Dataset::open(&folder.path().join("test_batch.bin")).unwrap();
    assert_eq!((test.len(), test.label(0).unwrap(), test.name.as_str()), (1, 5, "test_batch.bin"));

    put(folder.path(), "batches.meta.txt", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    assert_eq!(Dataset::open(folder.path()).unwrap().class_names[9], "j");
    put(folder.path(), "batches.meta.txt", b"a\nb\n");
    message(Dataset::open(folder.path()), "batches.meta.txt");
}

#[test]
fn idx_pairs_are_read_plain_and_gzipped() {
    let images = idx(&[2, 28, 28], &[[51; 784], [255; 784]].concat());
    let labels = idx(&[2], &[7, 2]);
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "plain/train-images-idx3-ubyte", &images);
    put(folder.path(), "plain/train-labels-idx1-ubyte", &labels);
    put(folder.path(), "fashion/t10k-images.idx3-ubyte.gz", &gzip(&images));
    put(folder.path(), "fashion/t10k-labels.idx1-ubyte.gz", &gzip(&labels));
    put(folder.path(), "mixed/t10k-images-idx3-ubyte.gz", &gzip(&images));
    put(folder.path(), "mixed/t10k-labels-idx1-ubyte", &labels);

    for name in ["plain", "fashion", "mixed", "plain/train-images-idx3-ubyte"] {
        let dataset = Dataset::open(&folder.path().join(name)).unwrap();
        assert_eq!(dataset.labels(), [7, 2]);
        assert!(name.ends_with(&dataset.name), "{}", dataset.name);
        assert_eq!(dataset.picture(0).unwrap(), Picture::flat(1, 28, 28, 0.2).unwrap());
        let fashion = name == "fashion";
        assert_eq!(dataset.class_names[7], if fashion { "Sneaker" } else { "7" });
        let framed = dataset.framed(3, 32, 32).picture(1).unwrap();
        assert_eq!(framed.shape(), [3, 32, 32]);
        assert_eq!(framed.pixels.iter().sum::<f32>(), 3.0 * 784.0);
    }
}

#[test]
fn a_folder_of_idx_files_opens_the_training_pair() {
    let folder = tempfile::tempdir().unwrap();
    for (part, label) in [("t10k", 1), ("train", 2)] {
        put(folder.path(), &format!("{part}-images-idx3-ubyte"), &idx(&[1, 2, 2], &[0; 4]));
        put(folder.path(), &format!("{part}-labels-idx1-ubyte"), &idx(&[1], &[label]));
    }
    assert_eq!(Dataset::open(folder.path()).unwrap().labels(), [2]);
}

#[test]
fn samples_show_each_class_four_times_in_turns() {
    let samples = samples();
    assert_eq!((samples.len(), samples.class_names.len()), (40, 10));
    assert_eq!(samples.class_names[9], "Ankle boot");
    for index in 0..samples.len() {
        assert_eq!(samples.label(index).unwrap(), (index + 2) % 10);
        let picture = samples.picture(index).unwrap();
        assert_eq!(picture.shape(), [3, 32, 32]);
        let mean = picture.pixels.iter().sum::<f32>() / 3072.0;
        assert!((0.05..0.7).contains(&mean), "picture {index} has mean {mean}");
        // Two pixels of padding on every side.
        assert!(picture.pixels[..64].iter().all(|value| *value == 0.0));
    }
}

#[test]
fn pictures_beyond_the_end_are_errors() {
    let samples = samples();
    message(samples.picture(40), "no picture 40");
    message(samples.label(usize::MAX), "fashion-mnist samples");
}

/// The first training image of CIFAR-10 is a frog, and its first pixel is (59, 62, 63).
#[test]
fn cifar10_itself_reads_as_published() {
    let Some(folder) = std::env::var_os("GIA_DATA") else {
        eprintln!("skipped: GIA_DATA names no folder with cifar10-first4000.bin");
        return;
    };
    let dataset = Dataset::open(&Path::new(&folder).join("cifar10-first4000.bin")).unwrap();
    assert_eq!(dataset.len(), 4000);
    assert_eq!(dataset.class_names[dataset.label(0).unwrap()], "frog");
    let pixels = dataset.picture(0).unwrap().pixels;
    assert_eq!([0, 1024, 2048].map(|at| pixels[at] * 255.0), [59.0, 62.0, 63.0]);
}
