//! Names from class features, with and without pictures, and labels of one picture.

use std::collections::BTreeSet;

use gia_gpu::{
    attack::{
        config::AttackConfig,
        exact::features::{ClassFeatures, LastLayer64},
        labels::{Method, exact_label, restore},
        last_layer::last_layer,
    },
    audit::{
        Audit, Clients, NamingModel, Outcome,
        naming::{Beside, Rule},
        read_batches,
    },
    data::Dataset,
    device::Device,
    federated::{Client, Protocol},
    nn::{Depth, Options, options::Activation},
    report::Timing,
    semantic::{Accuracy, ClassOrder, Seen, Truth},
    watch::Silent,
};

use super::{Failure, Figures, Pictures, percent, trained, victim};

pub(crate) fn labels(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    println!(
        "\n| victim | activation | pictures | labels right | largest error of the factor | … of a reversed update |"
    );
    println!("|---|---|---|---|---|---|");
    let pictures = Pictures { dataset: Dataset::open(&all.cifar)?, shape: [3, 32, 32] };
    let (batches, _) = pictures.batches(100, 1, 3);
    for name in ["mlp", "lenet5", "resnet20"] {
        for activation in [Activation::Tanh, Activation::Silu, Activation::LeakyRelu] {
            let victim = victim(name, Options { activation: Some(activation), ..Options::default() }, 1)?;
            let mut client = Client::new(device, &victim, &Protocol::default(), 1)?;
            let (mut right, mut off, mut turned) = (0, 0.0_f64, 0.0_f64);
            for batch in &batches {
                let truth = pictures.labels(batch)?;
                let mut gradient = client.update(&victim, &pictures.images(batch)?, &truth)?.gradient;
                let found = exact_label(&last_layer(&victim, &gradient)?, Method::Exact)?;
                right += usize::from(found.label == truth[0]);
                off = off.max((found.scale - 1.0).abs());
                gradient.iter_mut().flatten().for_each(|g| *g *= -0.01);
                let found = exact_label(&last_layer(&victim, &gradient)?, Method::Exact)?;
                turned = turned.max((found.scale / -0.01 - 1.0).abs());
            }
            println!("| {name} | {activation} | {} | {right} | {off:.1e} | {turned:.1e} |", batches.len());
        }
    }
    Ok(())
}

/// Batches of each row.
const NAMED: usize = 96;

/// Names from class features, of single batches, and from the model alone.
pub(crate) fn names(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    let (Some(test), Some(public)) = (&all.test, &all.public) else {
        println!("names: give --test and --public");
        return Ok(());
    };
    println!("\n| victim | B | features, true counts | features, counts restored | model alone |");
    println!("|---|---|---|---|---|");
    let mut victims = vec![
        ("lenet-zhu, untrained", victim("lenet-zhu", Options::default(), all.seed)?),
        ("resnet20, untrained", victim("resnet20", Options::default(), all.seed)?),
    ];
    if let Some(weights) = &all.resnet20 {
        victims.push(("resnet20, trained", trained(weights)?));
    }
    let pictures = Pictures { dataset: Dataset::open(test)?, shape: [3, 32, 32] };
    let known = Dataset::open(public)?;
    let names = &pictures.dataset.class_names;
    let truth = Truth::new(&names.iter().cloned().map(Some).collect::<Vec<_>>(), names);
    const SIZES: [usize; 5] = [1, 2, 4, 8, 16];
    for (what, victim) in victims.into_iter().filter(|(what, _)| what.contains(&all.only)) {
        let audit = Audit::new(victim, AttackConfig::preset("ig", Depth::Deep)?);
        let known = audit.public(Some(&known), names, None)?.ok_or("no public pictures")?;
        // Of every size, first with the true counts and then with those restored.
        let (mut features, mut present) = (vec![], vec![]);
        for size in SIZES {
            let (batches, _) = pictures.batches(NAMED, size, 3 + all.seed);
            let mut client = Client::new(device, &audit.victim, &Protocol::default(), size)?;
            let mut restored = vec![];
            for batch in &batches {
                let labels = pictures.labels(batch)?;
                let gradient = client.update(&audit.victim, &pictures.images(batch)?, &labels)?.gradient;
                let own = restore(Method::Ilrg, &last_layer(&audit.victim, &gradient)?, size)?.labels();
                features.push(LastLayer64::features_of(&audit.victim, &gradient, &labels));
                restored.push(LastLayer64::features_of(&audit.victim, &gradient, &own));
                present.push(labels.into_iter().collect::<BTreeSet<usize>>());
            }
            features.append(&mut restored);
        }
        let rows = audit.public_rows(device, &known, &only(features))?;
        if let Some(classifier) = rows.classifier {
            eprintln!("{what}: {classifier:?}");
        }
        let seen = rows.features.as_deref().unwrap_or_default();
        let weights = [1.0; NAMED];
        for (i, size) in SIZES.into_iter().enumerate() {
            let present = &present[i * NAMED..(i + 1) * NAMED];
            let right =
                |seen: &[Seen]| percent(Accuracy::of(seen, present, &truth, &weights).greedy.per_batch);
            let of = |half: usize| match seen {
                [] => "–".into(),
                seen => right(&seen[(2 * i + half) * NAMED..(2 * i + half + 1) * NAMED]),
            };
            println!("| {what} | {size} | {} | {} | {} |", of(0), of(1), right(&rows.of_model(present)));
        }
    }
    Ok(())
}

/// An outcome of features alone.
fn only(features: Vec<Option<ClassFeatures>>) -> Outcome {
    Outcome {
        losses: vec![],
        found: vec![],
        pictures: vec![],
        features,
        timing: Timing::new(0.0, 0, 1),
        interrupted: false,
        validity: vec![],
        doubts: vec![],
    }
}

/// Weights of pictures beside features that are compared.
const PICTURES: [f64; 6] = [0.0, 0.125, 0.25, 0.5, 1.0, 2.0];

/// Names from features and pictures together, by the weight of the pictures: labels given, `ig`.
pub(crate) fn combination(all: &Figures, device: &dyn Device) -> Result<(), Failure> {
    let (Some(test), Some(public)) = (&all.test, &all.public) else {
        println!("combination: give --test and --public");
        return Ok(());
    };
    print!("\n| victim | seed | B | batches | pictures | model alone |");
    PICTURES.iter().for_each(|weight| print!(" features + {weight} pictures |"));
    println!("\n|---|---|---|---|---|---|{}", "---|".repeat(PICTURES.len()));
    let dataset = Dataset::open(test)?;
    let pictures = Pictures { dataset: dataset.clone(), shape: [3, 32, 32] };
    let known = Dataset::open(public)?;
    for (what, iterations, count) in [("lenet-zhu, untrained", 300, 48), ("resnet20, trained", 100, 8)] {
        for size in [1, 2, 4, 8, 16] {
            if !what.contains(&all.only) {
                continue;
            }
            let mut victim = match what {
                "resnet20, trained" => match &all.resnet20 {
                    Some(weights) => trained(weights)?,
                    None => continue,
                },
                _ => victim("lenet-zhu", Options::default(), all.seed)?,
            };
            let (chosen, _) = pictures.batches(count, size, 3 + all.seed);
            let batches = read_batches(&dataset, &victim, chosen)?;
            let order = ClassOrder::shuffled(victim.model.classes, all.seed);
            let clients = Clients::new(&dataset, &mut victim, order, batches)?;
            let attack = AttackConfig { iterations, ..AttackConfig::preset("ig", victim.model.depth())? };
            let audit = Audit { labels_given: true, seed: all.seed, ..Audit::new(victim, attack) };
            let targets = audit.capture(device, &clients.batches, &Silent)?.targets;
            let outcome = audit.invert(device, size, &targets, None, &Silent)?;
            let model = NamingModel::builtin(&dataset.class_names)?;
            let mut namer = model.namer(device, size * count, &Silent)?;
            let named = audit.name(
                &mut namer,
                Rule::default(),
                &outcome,
                Some(&clients),
                &Beside::default(),
                &Silent,
            )?;
            let known =
                audit.public(Some(&known), &named.names, Some(&clients))?.ok_or("no public pictures")?;
            let rows = audit.public_rows(device, &known, &outcome)?;
            let truth = Truth::new(&clients.names, &named.names);
            let present: Vec<BTreeSet<usize>> =
                clients.batches.iter().map(|b| b.labels.iter().copied().collect()).collect();
            let seen: Vec<Seen> = named
                .batches
                .into_iter()
                .map(|batch| Seen { indices: batch.indices, rows: batch.similarity })
                .collect();
            let weights = vec![1.0; seen.len()];
            let right =
                |seen: &[Seen]| percent(Accuracy::of(seen, &present, &truth, &weights).greedy.per_batch);
            print!(
                "| {what} | {} | {size} | {count} | {} | {} |",
                all.seed,
                right(&seen),
                right(&rows.of_model(&present))
            );
            for weight in PICTURES {
                print!(" {} |", rows.weighted(&seen, [1.0, weight]).map_or("–".into(), |both| right(&both)));
            }
            println!();
        }
    }
    Ok(())
}
