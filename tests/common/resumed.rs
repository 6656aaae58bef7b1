//! Attacks that are stopped and resumed, on any device.

// Each test binary takes what it needs.
#![allow(dead_code)]

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use gia_gpu::{
    attack::{
        AttackError, GO_ON, Hooks,
        checkpoint::Checkpoints,
        config::{AttackConfig, Optimiser},
        invert::{Reconstruction, Setting, Target, invert},
        threat::ThreatModel,
    },
    data::Normalisation,
    device::{
        Device, DeviceError, DeviceInfo, Executable,
        cpu::Cpu,
        probe::{Limit, Probe},
        profile::Profile,
    },
    federated::{Protocol, Request, Victim, client},
    nn::Depth,
    plan::Plan,
    random,
    tape::Var,
};

const TARGETS: usize = 2;
pub(crate) const RESTARTS: usize = 2;

/// Pictures of noise and an attack on them.
pub(crate) struct Scene {
    victim: Victim,
    normalisation: Normalisation,
    targets: Vec<Target>,
    pub config: AttackConfig,
}

impl Scene {
    pub(crate) fn new(preset: &str, change: impl FnOnce(&mut AttackConfig)) -> Scene {
        let victim = Victim::from_seed(&Request::named("lenet-zhu"), 4).unwrap();
        let target = |i: usize| {
            let x = random::normal(&mut random::generator(i as u64, "resumed"), 3 * 32 * 32);
            let update = client::update(&Cpu::<f32>::new(), &victim, &Protocol::default(), &x, &[i]).unwrap();
            Target { gradient: update.gradient, ..Target::default() }
        };
        let targets = (0..TARGETS).map(target).collect();
        let mut config = AttackConfig::preset(preset, Depth::Shallow).unwrap();
        change(&mut config);
        Scene { victim, normalisation: Normalisation::default(), targets, config }
    }

    /// `stop` is asked at every look.
    pub(crate) fn attack(
        &self,
        device: &dyn Device,
        checkpoints: Option<&Checkpoints>,
        progress: &mut (dyn FnMut(usize, usize, &[f32]) + Send),
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<Reconstruction>, AttackError> {
        let setting = Setting {
            generator: None,
            first: 0,
            victim: &self.victim,
            protocol: &Protocol::default(),
            views: &[],
            batch: 1,
            normalisation: &self.normalisation,
            config: &self.config,
            threat: &ThreatModel::insider(),
            restarts: RESTARTS,
            seed: 1,
        };
        invert(device, &setting, &self.targets, &mut Hooks { progress, stop, checkpoints })
    }

    /// Without a stop.
    pub(crate) fn whole(&self, device: &dyn Device) -> Vec<Reconstruction> {
        self.attack(device, None, &mut |_, _, _| {}, GO_ON).unwrap()
    }

    /// Goes on from what lies in the folder, to the end.
    pub(crate) fn resumed(
        &self,
        device: &dyn Device,
        folder: &Path,
    ) -> Result<Vec<Reconstruction>, AttackError> {
        let checkpoints = Checkpoints::new(folder, Duration::from_secs(60), "this".into(), true);
        self.attack(device, Some(&checkpoints), &mut |_, _, _| {}, GO_ON)
    }

    /// Stopped at that look, perhaps before the end; whether it was.
    pub(crate) fn stopped(&self, device: &dyn Device, folder: &Path, resume: bool, look: usize) -> bool {
        let checkpoints = Checkpoints::new(folder, Duration::from_secs(60), "this".into(), resume);
        let looks = AtomicUsize::new(0);
        let stop = || looks.fetch_add(1, Ordering::Relaxed) + 1 >= look;
        // Labels that are learned may have nothing finite yet.
        let _ = self.attack(&Slow(device), Some(&checkpoints), &mut |_, _, _| {}, &stop);
        checkpoints.end(true).unwrap();
        looks.into_inner() >= look
    }
}

/// A device on which an iteration takes so long that the attack looks up every few of them.
pub(crate) struct Slow<'d>(pub &'d dyn Device);

struct SlowExecutable(Box<dyn Executable>);

impl Executable for SlowExecutable {
    fn write(&mut self, input: Var, data: &[f32]) -> Result<(), DeviceError> {
        self.0.write(input, data)
    }

    fn run(&mut self, iterations: usize) -> Result<(), DeviceError> {
        sleep(Duration::from_millis(40) * iterations as u32);
        self.0.run(iterations)
    }

    fn read(&mut self, output: Var) -> Result<Vec<f32>, DeviceError> {
        self.0.read(output)
    }
}

impl Device for Slow<'_> {
    fn compile(&self, plan: &Plan) -> Result<Box<dyn Executable>, DeviceError> {
        Ok(Box::new(SlowExecutable(self.0.compile(plan)?)))
    }

    fn required(&self, plan: &Plan) -> Result<u64, DeviceError> {
        self.0.required(plan)
    }

    fn profile(&self, plan: &Plan, iterations: usize) -> Result<Profile, DeviceError> {
        self.0.profile(plan, iterations)
    }

    fn info(&self) -> DeviceInfo {
        self.0.info()
    }

    fn probe(&self, limit: Limit) -> Result<Probe, DeviceError> {
        self.0.probe(limit)
    }
}

/// Adam on coarse and then fine pictures, and L-BFGS with labels that are learned; each stopped twice at random and resumed:
/// the same bits as never stopped.
pub(crate) fn stops_and_goes_on(device: &Arc<dyn Device>) {
    let adam = Scene::new("ig", |config| {
        config.iterations = 40;
        config.scales = vec![2];
    });
    // Its memory is shorter than the attack: the library's own state is in the checkpoint, and not only answers.
    let lbfgs = Scene::new("dlg", |config| {
        config.iterations = 3;
        if let Optimiser::Lbfgs { history, .. } = &mut config.optimiser {
            *history = 2;
        }
    });
    for (name, scene) in [("Adam", adam), ("L-BFGS", lbfgs)] {
        scene.stops_and_goes_on(device, name);
    }
}

/// The weights of a decoder, beside which vectors move and numbers stay.
pub(crate) fn a_decoder_stops_and_goes_on(device: &Arc<dyn Device>) {
    Scene::new("decoder", |config| config.iterations = 60).stops_and_goes_on(device, "a decoder");
}

impl Scene {
    fn stops_and_goes_on(&self, device: &Arc<dyn Device>, name: &str) {
        let expected = crate::bits::bits(&self.whole(&**device));
        let mut generator = random::generator(u64::from(std::process::id()), name);
        for _ in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().join("checkpoint");
            let looks = [0, 1].map(|_| random::normal(&mut generator, 1)[0].abs());
            let looks = looks.map(|draw| 1 + (5.0 * draw.min(2.0)) as usize);
            assert!(self.stopped(&**device, &folder, false, looks[0]), "{name}: {looks:?}");
            self.stopped(&**device, &folder, true, looks[1]);
            let found = self.resumed(&**device, &folder).unwrap();
            assert!(crate::bits::bits(&found) == expected, "{name}, stopped at looks {looks:?}");
        }
    }
}
