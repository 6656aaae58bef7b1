//! What the verdict says in situations whose truth is known: attacks that got through, that stopped too early, that assumed
//! the wrong client, and clients that give nothing away.

use gia_gpu::{
    audit::{Audit, Clients},
    data::{Normalisation, samples},
    device::cpu::Cpu,
    federated::{Local, Protocol, defence::Defence},
    report::{Answer, Verdict, What},
    watch::Silent,
};

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
    const fn new(name: &'static str, preset: &'static str, iterations: usize, batch: usize, expected: Expected) -> Self {
        Situation {
            name,
            architecture: "lenet-zhu",
            preset,
            iterations,
            batch,
            batches: if batch > 8 { 2 } else { 6 },
            client: nothing,
            eavesdropper: nothing,
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
        let targets = client.capture(&device, &clients.batches, &Silent).unwrap().targets;
        let mut outcome = eavesdropper.invert(&device, self.batch, &targets, None, &Silent).unwrap();
        eavesdropper.validate(&device, &targets, Some(&clients.batches), &mut outcome, &Silent).unwrap();
        let judged = eavesdropper.judge(&clients, &outcome.pictures).unwrap();
        let grounds = eavesdropper.grounds(&outcome, Some((&clients, &judged)), None).unwrap();
        for v in &outcome.validity {
            let mut null = v.null.clone();
            null.sort_by(f32::total_cmp);
            println!("   {:?} at {:?} null {:?} {:?} {:?}", v.objective, v.at_originals, null[0], null[10], v.failed);
        }
        println!("   {:?}", grounds.pictures);
        grounds.verdict()
    }
}

fn noise(audit: &mut Audit, size: f64) {
    audit.defences = vec![Defence::Noise(size)];
}

fn situations() -> Vec<Situation> {
    let s = Situation::new;
    let local = |steps, rate| Protocol {
        local: Some(Local { steps, batch: 1, learning_rate: rate }),
        ..Protocol::default()
    };
    let _ = local;
    vec![
        s("ig, one picture", "ig", 600, 1, LEAKS),
        s("ig, four pictures", "ig", 600, 4, LEAKS),
        s("ig, sixteen pictures", "ig", 600, 16, LEAKS),
        s("dlg, one picture", "dlg", 100, 1, LEAKS),
        s("dlg, four pictures", "dlg", 100, 4, LEAKS),
        s("dlg, sixteen pictures", "dlg", 100, 16, LEAKS),
        s("ig stopped, one picture", "ig", 20, 1, FAILED),
        s("ig stopped, four pictures", "ig", 20, 4, FAILED),
        s("ig stopped, sixteen pictures", "ig", 20, 16, FAILED),
        Situation { client: |a| noise(a, 1e-3), ..s("noise 1e-3", "ig", 600, 1, LEAKS) },
        Situation { client: |a| noise(a, 1e-1), ..s("noise 1e-1", "ig", 600, 1, NOT_SHOWN) },
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
        Situation {
            client: |a| a.victim.tensors.iter_mut().flatten().for_each(|w| *w *= 1e-3),
            ..s("flat victim", "ig", 300, 1, NOT_SHOWN)
        },
        Situation {
            client: |a| {
                let last = a.victim.tensors.len() - 1;
                a.victim.tensors[last][0] = 200.0;
            },
            ..s("saturated softmax", "ig", 300, 1, FAILED)
        },
    ]
}

#[test]
fn the_verdict_is_right_where_the_truth_is_known() {
    let seed: u64 = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let mut wrong = vec![];
    for situation in situations() {
        let started = std::time::Instant::now();
        let verdict = situation.verdict(seed);
        let pictures = verdict.of(What::Pictures).unwrap();
        println!(
            "{:32} {:10} {:10} {:?} floor {:?} p {:?} {:?} {:.1} s",
            situation.name,
            verdict.answer.name(),
            pictures.answer.name(),
            pictures.estimate,
            pictures.floor,
            pictures.p_value,
            verdict.failed_tests,
            started.elapsed().as_secs_f64()
        );
        let Expected { answer, pictures: expected } = situation.expected;
        if (verdict.answer, pictures.answer) != (answer, expected) {
            wrong.push(format!("{}: {}", situation.name, verdict.sentence));
        }
    }
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}
