//! What the verdict says in situations whose truth is known: attacks that got through, that stopped too early, that assumed
//! the wrong client, and clients that give nothing away.

use std::{sync::Mutex, thread};

use gia_gpu::{
    audit::{Audit, Clients, Known, Network},
    data::{Normalisation, samples},
    device::cpu::Cpu,
    federated::{Local, LocalOptimiser, Victim, defence::Defence},
    nn::{Mode, Options},
    report::{Answer, Verdict, What},
    train::{Optimiser, Pictures, Recipe, Training},
    watch::Silent,
};
use rayon::ThreadPoolBuilder;

/// What the clients do, and what the eavesdropper makes of it.
struct Situation {
    name: &'static str,
    architecture: &'static str,
    preset: &'static str,
    iterations: usize,
    batch: usize,
    batches: usize,
    /// Changes the client, who is honest and undefended else.
    client: fn(&mut Audit),
    /// Changes the eavesdropper, who knows the client else.
    eavesdropper: fn(&mut Audit),
    /// What is done to an update on its way.
    factor: f32,
    expected: Expected,
}

/// Of everything, and of the pictures.
struct Expected {
    answer: Answer,
    pictures: Answer,
}

const fn nothing(_: &mut Audit) {}

const LEAKS: Expected = Expected { answer: Answer::Leaks, pictures: Answer::Leaks };
const NOT_SHOWN: Expected = Expected { answer: Answer::NotShown, pictures: Answer::NotShown };
const FAILED: Expected = Expected { answer: Answer::Failed, pictures: Answer::Failed };

impl Situation {
    const fn new(
        name: &'static str,
        preset: &'static str,
        iterations: usize,
        batch: usize,
        expected: Expected,
    ) -> Self {
        Situation {
            name,
            architecture: "lenet-zhu",
            preset,
            iterations,
            batch,
            batches: if batch > 8 { 2 } else { 6 },
            client: nothing,
            eavesdropper: nothing,
            factor: 1.0,
            expected,
        }
    }

    fn verdict(&self, seed: u64) -> Verdict {
        let (dataset, device) = (samples(), Cpu::<f32>::new());
        let audit = || {
            let mut audit = Audit::untrained(self.architecture, self.preset, &dataset, seed).unwrap();
            audit.attack.iterations = self.iterations;
            audit.labels_given = true;
            audit
        };
        let (mut client, mut eavesdropper) = (audit(), audit());
        (self.client)(&mut client);
        (self.client)(&mut eavesdropper);
        (self.eavesdropper)(&mut eavesdropper);
        let clients: Clients = client.clients(&dataset, self.batch, self.batches).unwrap();
        eavesdropper.clients(&dataset, self.batch, self.batches).unwrap();
        let mut targets = client.capture(&device, &clients.batches, &Silent).unwrap().targets;
        targets.iter_mut().flat_map(|t| t.gradient.iter_mut().flatten()).for_each(|g| *g *= self.factor);
        let mut outcome = eavesdropper.invert(&device, self.batch, &targets, None, &Silent).unwrap();
        eavesdropper.validate(&device, &targets, Some(&clients.batches), &mut outcome, &Silent).unwrap();
        let judged = eavesdropper.judge(&clients, &outcome.pictures).unwrap();
        let grounds = eavesdropper.grounds(&outcome, Some((&clients, &judged)), None).unwrap();
        grounds.verdict()
    }
}

/// Two local steps, each on one of the pictures.
fn local(audit: &mut Audit, optimiser: LocalOptimiser, learning_rate: f64) {
    audit.protocol.local = Some(Local { optimiser, ..Local::sgd(2, 1, learning_rate) });
}

fn read_as_sgd(audit: &mut Audit) {
    audit.protocol.local.iter_mut().for_each(|local| local.optimiser = LocalOptimiser::Sgd);
}

fn noise(audit: &mut Audit, size: f64) {
    audit.defences = vec![Defence::Noise(size)];
}

/// A perceptron wide enough for SPEAR's layer.
fn wide(audit: &mut Audit, hidden: usize) {
    let options = Options { hidden: Some(vec![hidden]), ..Options::default() };
    let network = Network { architecture: Some("mlp".into()), options, ..Network::default() };
    let known = Known::of_data(&samples());
    audit.victim = Victim::from_seed(&network.request(&known).unwrap(), audit.seed).unwrap();
}

/// Trained on the samples until it knows them.
fn trained(audit: &mut Audit) {
    let (model, device) = (&audit.victim.model, Cpu::<f32>::new());
    let pictures = Pictures::read(&samples(), model.image, model.classes, None).unwrap();
    let optimiser = Optimiser::Sgd { momentum: 0.9, nesterov: true };
    let recipe = Recipe {
        epochs: 40,
        batch: 8,
        learning_rate: 0.05,
        optimiser,
        augment: false,
        seed: audit.seed,
        ..Recipe::default()
    };
    let training = Training {
        victim: &audit.victim,
        recipe: &recipe,
        pictures: &pictures,
        test: None,
        normalisation: &audit.normalisation,
        checkpoint: None,
    };
    let (tensors, _) = training.run(&device, training.start(), &Silent, &mut |_| ()).unwrap();
    audit.victim.tensors = tensors;
}

fn situations() -> Vec<Situation> {
    let s = Situation::new;
    vec![
        s("ig, one picture", "ig", 600, 1, LEAKS),
        s("ig, four pictures", "ig", 600, 4, LEAKS),
        s("ig, sixteen pictures", "ig", 600, 16, FAILED),
        Situation { batches: 1, ..s("dlg, one picture", "dlg", 60, 1, FAILED) },
        Situation { batches: 1, ..s("dlg, four pictures", "dlg", 20, 4, FAILED) },
        Situation { batches: 1, ..s("dlg, sixteen pictures", "dlg", 5, 16, FAILED) },
        s("ig stopped, one picture", "ig", 20, 1, FAILED),
        s("ig stopped, four pictures", "ig", 20, 4, FAILED),
        s("ig stopped, sixteen pictures", "ig", 20, 16, FAILED),
        Situation { client: |a| noise(a, 1e-3), ..s("noise 1e-3", "ig", 600, 1, LEAKS) },
        Situation { client: |a| noise(a, 1e-1), ..s("noise 1e-1", "ig", 600, 1, LEAKS) },
        Situation { client: |a| noise(a, 10.0), ..s("noise 10", "ig", 600, 1, NOT_SHOWN) },
        Situation {
            client: |a| local(a, LocalOptimiser::Sgd, 0.01),
            ..s("sgd read as sgd", "ig", 400, 2, LEAKS)
        },
        Situation {
            client: |a| local(a, LocalOptimiser::Momentum(0.9), 0.01),
            eavesdropper: read_as_sgd,
            ..s("momentum read as sgd", "ig", 400, 2, LEAKS)
        },
        Situation {
            client: |a| local(a, LocalOptimiser::Adam { epsilon: 1e-8 }, 0.01),
            eavesdropper: read_as_sgd,
            ..s("adam read as sgd", "ig", 400, 2, FAILED)
        },
        Situation {
            client: |a| noise(a, 1e-3),
            eavesdropper: |a| a.defences = vec![],
            ..s("noise that nobody knows of", "ig", 600, 1, LEAKS)
        },
        Situation {
            client: |a| a.defences = vec![Defence::DpSgd { clip: 1.0, multiplier: 0.01 }],
            ..s("dp-sgd, weak", "ig", 600, 1, LEAKS)
        },
        Situation {
            client: |a| a.defences = vec![Defence::DpSgd { clip: 1.0, multiplier: 1.0 }],
            ..s("dp-sgd, strong", "ig", 600, 1, NOT_SHOWN)
        },
        Situation {
            client: |a| a.defences = vec![Defence::Soteria(0.8)],
            ..s("soteria, static eavesdropper", "ig", 600, 1, LEAKS)
        },
        Situation {
            client: |a| a.defences = vec![Defence::Soteria(0.8)],
            eavesdropper: |a| a.adaptive = true,
            ..s("soteria, adaptive eavesdropper", "ig", 600, 1, LEAKS)
        },
        Situation {
            eavesdropper: |a| a.normalisation = Normalisation::new(vec![0.0; 3], vec![0.05; 3]).unwrap(),
            ..s("wrong normalisation", "ig", 600, 1, FAILED)
        },
        Situation { client: |a| wide(a, 300), ..s("spear, one picture", "spear", 1, 1, LEAKS) },
        Situation { client: |a| wide(a, 300), ..s("spear, four pictures", "spear", 1, 4, LEAKS) },
        Situation {
            batches: 1,
            client: |a| wide(a, 1000),
            ..s("spear, sixteen pictures", "spear", 1, 16, LEAKS)
        },
        Situation { factor: -1.0, ..s("wrong sign", "ig", 300, 1, FAILED) },
        Situation {
            architecture: "resnet9-8",
            client: |a| a.protocol.mode = Mode::Train,
            eavesdropper: |a| a.protocol.mode = Mode::Eval,
            ..s("wrong mode", "ig", 100, 2, FAILED)
        },
        Situation { client: trained, ..s("trained victim", "ig", 600, 1, LEAKS) },
        Situation {
            client: |a| a.victim.tensors.iter_mut().flatten().for_each(|w| *w *= 1e-3),
            ..s("flat victim", "ig", 300, 1, NOT_SHOWN)
        },
        Situation {
            client: |a| {
                let last = a.victim.tensors.len() - 1;
                a.victim.tensors[last - 1].iter_mut().for_each(|w| *w *= 30.0);
            },
            ..s("saturated softmax", "ig", 300, 1, LEAKS)
        },
    ]
}

/// Thresholds were chosen on the first seed.
const SEEDS: [u64; 3] = [1, 2, 3];

/// As many at a time as there are cores, each on one thread: most are too small to fill two.
#[test]
fn the_verdict_is_right_where_the_truth_is_known() {
    let all: Vec<(u64, Situation)> =
        SEEDS.into_iter().flat_map(|seed| situations().into_iter().map(move |s| (seed, s))).collect();
    // Too slow for three.
    let slow = |s: &Situation| s.preset == "dlg" || s.preset == "spear" && s.batch == 16;
    let wanted = all.iter().filter(|(seed, situation)| *seed == SEEDS[0] || !slow(situation));
    let (queue, wrong) = (Mutex::new(wanted), Mutex::new(vec![]));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        while let Some((seed, situation)) = { queue.lock().unwrap().next() } {
            let verdict = situation.verdict(*seed);
            let pictures = verdict.of(What::Pictures).unwrap();
            let Expected { answer, pictures: expected } = &situation.expected;
            if (verdict.answer, pictures.answer) != (*answer, *expected) {
                let found = format!("{}, seed {seed}: {}\n  {pictures:?}", situation.name, verdict.sentence);
                wrong.lock().unwrap().push(found);
            }
        }
    };
    let alone = || ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(work);
    thread::scope(|scope| (0..cores).for_each(|_| drop(scope.spawn(alone))));
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
