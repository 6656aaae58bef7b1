//! Attacks that are stopped and resumed, and those on several devices, end with the same bits on the GPU, too.

use std::sync::Arc;

use gia_gpu::device::{
    Device,
    gpu::{Gpu, GpuOptions},
    several::Several,
};

use crate::{bits::bits, resumed::Scene};

fn open() -> Gpu {
    Gpu::new(GpuOptions { allow_software: true, checked: true, ..GpuOptions::default() }).unwrap()
}

#[test]
fn an_attack_stopped_anywhere_and_resumed_ends_with_the_same_bits() {
    let device: Arc<dyn Device> = Arc::new(open());
    crate::resumed::stops_and_goes_on(&device);
}

#[test]
fn trials_spread_over_two_devices_find_the_same_bits() {
    let scene = Scene::new("ig", |config| config.iterations = 4);
    let expected = bits(&scene.whole(&open()));
    // The same adapter twice: two devices of its driver.
    let several = Several::new(vec![Box::new(open()), Box::new(open())]).unwrap();
    assert!(bits(&scene.whole(&several)) == expected);
}
