//! Data sets in memory.

use gia_gpu::{
    data::samples,
    train::{Half, Part, Pictures},
};

#[test]
fn a_limit_takes_pictures_from_all_over_the_data_set() {
    let data = samples();
    let some = Pictures::read(&data, [1, 28, 28], 10, Some(4)).unwrap();
    assert_eq!(some.labels, [0, 10, 20, 30].map(|i| data.labels()[i]));
    assert_eq!(Pictures::read(&data, [1, 28, 28], 10, Some(99)).unwrap().len(), 40);
    let message = Pictures::read(&data, [1, 28, 28], 5, None).unwrap_err().to_string();
    assert!(message.contains("5 classes"), "{message}");
}

#[test]
fn joined_data_sets_share_the_names_that_they_have_in_common() {
    let set = |name: &str, classes: &[&str], labels: &[usize]| Pictures {
        shape: [1, 1, 1],
        bytes: labels.iter().map(|&label| label as u8).collect(),
        labels: labels.to_vec(),
        class_names: classes.iter().map(|name| name.to_string()).collect(),
        parts: vec![Part {
            name: name.into(),
            len: labels.len(),
            share: 1.0,
            classes: (0..classes.len()).collect(),
        }],
    };
    let mut all = Pictures::join(vec![
        set("shoes", &["Sandal", "boot"], &[0, 1, 1, 0]),
        set("things", &["cup", "sandal"], &[1, 0]),
    ]);
    assert_eq!(all.class_names, ["Sandal", "boot", "cup"]);
    assert_eq!(all.labels, [0, 1, 1, 0, 0, 2]);
    assert_eq!(all.parts[1].classes, [2, 0]);
    assert_eq!((all.len(), all.shown()), (6, 6));
    all.parts[0].share = 0.5;
    all.parts[1].share = 2.0;
    assert_eq!(all.shown(), 2 + 4);
}

#[test]
fn halves_have_no_picture_in_common_and_leave_none_out() {
    let data = samples();
    let all = Pictures::read(&data, [1, 28, 28], 10, None).unwrap();
    let twice = Pictures::join(vec![all.clone(), all.clone()]);
    for pictures in [all, twice] {
        let [first, second] = [Half::First, Half::Second].map(|half| pictures.half(half));
        assert_eq!((first.len(), second.len()), (pictures.len() / 2, pictures.len() / 2));
        assert!(first.parts.iter().chain(&second.parts).all(|part| part.len == 20));
        let of = |half: &Pictures| (0..half.len()).map(|i| half.picture(i).to_vec()).collect::<Vec<_>>();
        let mut both = [of(&first), of(&second)].concat();
        let mut whole = of(&pictures);
        both.sort();
        whole.sort();
        assert!(both == whole);
        assert_eq!(first.labels, pictures.half(Half::First).labels);
    }
}
