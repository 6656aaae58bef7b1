//! Was this picture in that update?

use serde::Serialize;

use super::{Audit, AuditError, Observation};
use crate::{
    attack::{
        exact::{
            ExactError,
            batch::check_protocol,
            inputs::LayerInputs,
            layers::{Linear, linear_layers},
            membership::{Span, Verdict, verdicts},
            rank::check_batch,
        },
        invert::Target,
    },
    data::Picture,
    device::Device,
    federated::defence::Defence,
    nn::Mode,
};

/// What is asked of one update.
#[derive(Clone, Copy, Debug)]
pub struct Suspects<'a> {
    /// With what to call them.
    pub candidates: &'a [(String, Picture)],
    /// Pictures of the same kind that were certainly not in the batch; without them there is no verdict.
    pub outsiders: &'a [Picture],
    /// Chance of calling any outsider a member.
    pub alpha: f64,
    /// The linear layer to look at; `None`: the first that has room for the batch.
    pub layer: Option<&'a str>,
}

/// What the update says of them.
#[derive(Clone, Debug, Serialize)]
pub struct Membership {
    /// Whose inputs are compared.
    pub layer: String,
    /// `B`
    pub batch: usize,
    /// Of the layer's gradient.
    pub rank: usize,
    /// Pictures that were in no update, to hold the candidates against.
    pub outsiders: usize,
    /// In the order given.
    pub candidates: Vec<Candidate>,
    /// Distances of the outsiders from the batch's span.
    #[serde(skip)]
    pub strangers: Vec<f64>,
}

/// One picture.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Its file or number, as it was given.
    pub picture: String,
    /// Whether it was in the batch, and how sure that is.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl Observation {
    /// Whether the candidates were in the batch of the first file.
    ///
    /// # Errors
    /// As [`Audit::contains`].
    pub fn contains(&self, device: &dyn Device, of: &Suspects) -> Result<Membership, AuditError> {
        self.audit.contains(device, self.batch, &self.targets[0], of)
    }
}

impl Audit {
    /// Whether the candidates were in the batch of `batch` pictures that this target is of.
    ///
    /// # Errors
    /// A protocol whose update no one span holds, a layer that there is not or that has no room for the batch, and what
    /// [`Span::of`] refuses.
    pub fn contains(
        &self,
        device: &dyn Device,
        batch: usize,
        target: &Target,
        of: &Suspects,
    ) -> Result<Membership, AuditError> {
        if !(of.alpha > 0.0 && of.alpha < 1.0) {
            let found = of.alpha;
            return Err(AuditError::misuse(format!("expected a chance between 0 and 1, found {found}")));
        }
        self.check_span(batch)?;
        let victim = &self.victim;
        let layers = linear_layers(victim);
        let at = chosen(&layers, of.layer, batch)?;
        let layer = &layers[at];
        let gradient = &target.gradient[layer.weight];
        let span = Span::of(&layer.name, gradient, layer.shape, batch, self.seed)?;
        let left = self.left_of_inputs(gradient, layer.shape[1], at + 1 == layers.len(), batch);

        let pictures: Vec<&Picture> = of.candidates.iter().map(|(_, picture)| picture).collect();
        let outsiders: Vec<&Picture> = of.outsiders.iter().collect();
        let own = self.distances(device, at, (&span, &left), &pictures)?;
        let strangers = self.distances(device, at, (&span, &left), &outsiders)?;
        let judged = verdicts(&own, &strangers, of.alpha);
        let candidates = of.candidates.iter().zip(judged);
        Ok(Membership {
            layer: layer.name.clone(),
            batch,
            rank: span.rank,
            outsiders: strangers.len(),
            candidates: candidates
                .map(|((picture, _), verdict)| Candidate { picture: picture.clone(), verdict })
                .collect(),
            strangers,
        })
    }

    /// Only one step, and pictures that are told one by one, leave their features in one span.
    fn check_span(&self, batch: usize) -> Result<(), AuditError> {
        let protocol = &self.protocol;
        check_protocol(protocol, batch).map_err(|error| match error {
            ExactError::ManySteps { steps } => AuditError::Misuse(format!(
                "the update of {steps} local steps: the weights moved in between, so that no one span holds the pictures' \
                 features"
            )),
            error => error.into(),
        })?;
        if protocol.mode == Mode::Train && self.victim.has_batch_norm() {
            return Err(AuditError::misuse(
                "batch norm in train mode: a picture's features depend on the whole batch, so that none can be told by \
                 itself",
            ));
        }
        Ok(())
    }

    /// What the client's defences leave of a layer's inputs in its gradient `(m, columns)`, if the eavesdropper knows them.
    fn left_of_inputs(&self, gradient: &[f32], columns: usize, is_last: bool, batch: usize) -> Left {
        let known = |is: fn(&Defence) -> bool| self.adaptive && self.defences.iter().any(is);
        let prunes = is_last && known(|defence| matches!(defence, Defence::Soteria(_)));
        let is_left = |j: usize| gradient[j..].iter().step_by(columns).any(|&g| g != 0.0);
        Left {
            columns: prunes.then(|| (0..columns).map(is_left).collect()),
            signs: batch == 1 && known(|defence| matches!(defence, Defence::Sign)),
        }
    }

    /// Distances of pictures from the span, by what the layer is given for them.
    fn distances(
        &self,
        device: &dyn Device,
        layer: usize,
        (span, left): (&Span, &Left),
        pictures: &[&Picture],
    ) -> Result<Vec<f64>, AuditError> {
        if pictures.is_empty() {
            return Ok(vec![]);
        }
        let victim = &self.victim;
        let shape = victim.image_shape();
        let fitted = pictures.iter().map(|&picture| picture.clone().fitted(shape));
        let images = self.normalisation.normalise(&fitted.collect::<Result<Vec<_>, _>>()?)?;
        let inputs = LayerInputs::new(device, victim, layer, pictures.len())?.of(&images)?;
        Ok(inputs.iter().map(|input| span.distance(&left.of(input))).collect())
    }
}

/// What a defence leaves of a layer's inputs: their span is that of what is left of each.
struct Left {
    /// Columns that are not pruned.
    columns: Option<Vec<bool>>,
    /// Of one picture, whose gradient is a product of two vectors: the signs of each.
    signs: bool,
}

impl Left {
    fn of(&self, input: &[f32]) -> Vec<f64> {
        let is_left = |j: usize| self.columns.as_ref().is_none_or(|columns| columns[j]);
        let sign = |v: f32| if v == 0.0 { 0.0 } else { v.signum() };
        let left = |(j, &v): (usize, &f32)| match is_left(j) {
            true => f64::from(if self.signs { sign(v) } else { v }),
            false => 0.0,
        };
        input.iter().enumerate().map(left).collect()
    }
}

/// The layer of this name, or the first with room for the batch; the last, whose refusal is said, if none has.
fn chosen(layers: &[Linear], name: Option<&str>, batch: usize) -> Result<usize, ExactError> {
    let room = |layer: &Linear| check_batch(&layer.name, layer.shape, Some(batch));
    let at = match name {
        Some(name) => layers.iter().position(|layer| layer.name == name).ok_or_else(|| {
            let names = layers.iter().map(|layer| layer.name.as_str()).collect::<Vec<_>>();
            ExactError::NoSuchLayer(name.into(), names.join(", "))
        })?,
        None => layers.iter().position(|layer| room(layer).is_ok()).unwrap_or(layers.len() - 1),
    };
    room(&layers[at])?;
    Ok(at)
}
