//! What SPEAR cannot do, and says.

use gia_gpu::{
    attack::exact::{
        ExactError,
        batch::{Spear, check_protocol, count, restore_batch},
        membership::Span,
    },
    federated::{ClientLoss, Local, LocalOptimiser, Protocol, Request, Victim},
    nn::{Options, options::Activation},
    random,
};

use super::victims::{gradient_of, mlp};

fn refused(victim: &Victim, gradient: &[Vec<f32>], batch: usize, settings: &Spear) -> String {
    restore_batch(victim, gradient, Some(batch), settings, 1, &|| false).unwrap_err().to_string()
}

fn of_layer(name: &str) -> Spear {
    Spear { layer: Some(name.into()), ..Spear::default() }
}

#[test]
fn a_layer_that_is_not_there_not_linear_or_not_before_relu() {
    let victim = Victim::from_seed(&Request::named("lenet5"), 1).unwrap();
    let (_, _, gradient) = gradient_of(&victim, &[0, 1]);
    let convolution = refused(&victim, &gradient, 2, &of_layer("conv1"));
    assert!(
        convolution.contains("'conv1' is no linear layer of the victim; it has: fc1, fc2, fc3"),
        "{convolution}"
    );
    let last = refused(&victim, &gradient, 2, &of_layer("fc3"));
    assert!(last.contains("'fc3' is not followed by ReLU but by nothing"), "{last}");
    let options = Options { activation: Some(Activation::Tanh), ..Options::default() };
    let smooth = Victim::from_seed(&Request { options, ..Request::named("mlp") }, 1).unwrap();
    let (_, _, gradient) = gradient_of(&smooth, &[0, 1]);
    let named = refused(&smooth, &gradient, 2, &of_layer("1"));
    assert!(named.contains("not followed by ReLU but by tanh"), "{named}");
    let none = refused(&smooth, &gradient, 2, &Spear::default());
    assert!(none.contains("no linear layer that is followed by ReLU"), "{none}");
}

#[test]
fn a_rank_above_the_batch_and_a_batch_above_the_layer() {
    let victim = mlp(&[60]);
    let (_, _, gradient) = gradient_of(&victim, &[0, 1, 2, 3]);
    let above = refused(&victim, &gradient, 3, &Spear::default());
    assert!(above.contains("expected a gradient of rank 3, one a picture, found 4"), "{above}");
    let wide = refused(&victim, &gradient, 60, &Spear::default());
    assert!(
        wide.contains("expected a batch below 60, the smaller side of its 60×3072 weight, found 60"),
        "{wide}"
    );
    let empty = refused(&victim, &gradient, 0, &Spear::default());
    assert!(empty.contains("batch is empty"), "{empty}");
}

#[test]
fn noise_that_hides_the_rank_is_said() {
    let victim = mlp(&[60]);
    let (_, _, mut gradient) = gradient_of(&victim, &[0, 1, 2, 3]);
    let size = (gradient[0].iter().map(|g| g * g).sum::<f32>() / gradient[0].len() as f32).sqrt();
    let noise = random::normal(&mut random::generator(1, "noise"), gradient[0].len());
    gradient[0].iter_mut().zip(noise).for_each(|(g, n)| *g += 3.0 * size * n);
    let hidden = refused(&victim, &gradient, 4, &Spear::default());
    assert!(hidden.contains("noise hides the rank"), "{hidden}");
}

#[test]
fn numbers_that_are_none_and_units_that_are_dead() {
    let victim = mlp(&[60]);
    let (_, _, gradient) = gradient_of(&victim, &[0, 1]);
    let mut broken = gradient.clone();
    broken[0][7] = f32::NAN;
    let nan = refused(&victim, &broken, 2, &Spear::default());
    assert!(nan.contains("element 7 of its weight gradient is NaN"), "{nan}");
    let mut dead = gradient;
    dead[..2].iter_mut().flatten().for_each(|g| *g = 0.0);
    let dead = refused(&victim, &dead, 2, &Spear::default());
    assert!(dead.contains("every unit was off for every picture"), "{dead}");
}

#[test]
fn a_span_of_what_is_no_number_or_nothing() {
    let span = |gradient: &[f32]| Span::of("fc", gradient, [4, 6], 2, 1).unwrap_err().to_string();
    let mut broken = [1.0; 24];
    broken[5] = f32::INFINITY;
    assert!(span(&broken).contains("fc: element 5 of its weight gradient is inf"), "{}", span(&broken));
    assert!(span(&[0.0; 24]).contains("every unit was off"), "{}", span(&[0.0; 24]));
}

#[test]
fn a_rank_that_fills_the_layer_tells_no_batch_size() {
    let victim = mlp(&[20]);
    let (_, _, gradient) = gradient_of(&victim, &(0..30).collect::<Vec<_>>());
    let full = count(&victim, &gradient, &Spear::default(), 1).unwrap_err().to_string();
    assert!(
        full.contains("expected a gap in the spectrum") && full.contains("give the batch size"),
        "{full}"
    );
    let (_, _, gradient) = gradient_of(&victim, &[0, 1, 2, 2]);
    assert_eq!(count(&victim, &gradient, &Spear::default(), 1), Ok((3, "1".into())));
}

#[test]
fn a_budget_that_is_spent() {
    let victim = mlp(&[120]);
    let (_, _, gradient) = gradient_of(&victim, &(0..14).collect::<Vec<_>>());
    let spent = refused(&victim, &gradient, 14, &Spear { budget: 256, layer: None });
    assert!(spent.contains("of 14 pictures' patterns of units were found in 256 sets of rows"), "{spent}");
}

#[test]
fn a_search_that_finds_nothing_new_ends_before_its_budget() {
    let victim = mlp(&[24]);
    let (_, _, gradient) = gradient_of(&victim, &(0..10).collect::<Vec<_>>());
    let settings = Spear { budget: 1_000_000, layer: None };
    let sets = match restore_batch(&victim, &gradient, Some(10), &settings, 1, &|| false) {
        Ok(found) => found.record.row_sets,
        Err(ExactError::Budget { sets, .. }) => sets,
        Err(other) => panic!("{other}"),
    };
    assert!(sets < 500_000, "{sets}");
}

#[test]
fn a_search_ends_when_it_is_told_to() {
    let victim = mlp(&[120]);
    let (_, _, gradient) = gradient_of(&victim, &(0..14).collect::<Vec<_>>());
    let asked = std::cell::Cell::new(0);
    let stop = || asked.replace(asked.get() + 1) == 1;
    let error = restore_batch(&victim, &gradient, Some(14), &Spear::default(), 1, &stop).unwrap_err();
    assert!(matches!(error, ExactError::Stopped { sets: 4096, .. }), "{error}");
}

#[test]
fn updates_of_many_steps_or_of_a_part() {
    let local = |steps, batch| Protocol { local: Some(Local::sgd(steps, batch, 0.1)), ..Protocol::default() };
    assert_eq!(check_protocol(&local(5, 8), 8), Err(ExactError::ManySteps { steps: 5 }));
    assert!(check_protocol(&local(1, 4), 8).unwrap_err().to_string().contains("over 4 of 8 pictures"));
    let clipped = Protocol { example_clip: Some(1.0), ..Protocol::default() };
    assert!(check_protocol(&clipped, 8).unwrap_err().to_string().contains("was clipped to 1"));
    check_protocol(&local(1, 8), 8).unwrap();
    let with = |change: fn(&mut Local)| {
        let mut local = Local::sgd(1, 8, 0.1);
        change(&mut local);
        let protocol = Protocol { local: Some(local), ..Protocol::default() };
        check_protocol(&protocol, 8).unwrap_err().to_string()
    };
    let adam = with(|local| local.optimiser = LocalOptimiser::Adam { epsilon: 1e-8 });
    assert!(adam.contains("close to a sign"), "{adam}");
    assert!(with(|local| local.weight_decay = 0.01).contains("adds the weights"));
    let smoothed = Protocol { loss: ClientLoss::Smoothing(0.1), ..Protocol::default() };
    assert!(check_protocol(&smoothed, 8).unwrap_err().to_string().contains("no plain cross entropy"));
    check_protocol(&Protocol::default(), 8).unwrap();
}
