"""Whether gia-gpu and PyTorch compute the same: what against_pytorch.py asks before it times a row."""

import torch
from safetensors.torch import save_file

import rival

TOLERANCE = 1e-4
# Where an entry of the gradient is smaller than f32's rounding of it, its sign is nobody's: the step is then up or
# down. This share of the pixels may differ for that.
SIGNS = 1e-3
# Where a ReLU's or a maximum's decision is closer than f32's rounding, the two sides may decide it differently, and
# the gradient jumps. Other pictures have their ties elsewhere, while an error stays: trials that differ are drawn
# again, and must agree within so many draws.
DRAWS = 6


def error(found, expected):
    """‖found − expected‖ / ‖expected‖."""
    found, expected = found.cpu().double(), expected.cpu().double()
    return ((found - expected).norm() / expected.norm().clamp_min(1e-30)).item()


def attack_errors(found, expected, trial):
    """By name, and the share of pixels that go another way."""
    errors = {name: error(found[name][trial], expected[name][trial]) for name in ["total", "gradient"]}
    errors["iteration"] = error(found["iteration.objective"][trial], expected["objective"][trial])
    moved = (found["iteration.x"][trial] - expected["x"][trial].cpu()).abs() > TOLERANCE
    return errors | {"pixels": moved.float().mean().item()}


def training_errors(found, expected):
    errors = {"loss": error(found["loss"], expected["loss"])}
    for kind in ["momentum", "after"]:
        names = [name for name in expected if name.startswith(kind)]
        join = lambda tensors: torch.cat([tensors[name].flatten() for name in names])
        errors[kind] = error(join(found), join(expected))
    return errors


def equal(errors):
    return all(value <= (SIGNS if name == "pixels" else TOLERANCE) for name, value in errors.items())


def check_attack(row, engine, problem):
    """The largest errors by name, whether they are small enough, and how often pictures were drawn anew."""
    for draws in range(DRAWS):
        save_file(problem.tensors(), engine.input(row))
        found, expected = engine.check(row), rival.attack_check(problem)
        errors = [attack_errors(found, expected, trial) for trial in range(row.trials)]
        different = [trial for trial, each in enumerate(errors) if not equal(each)]
        if not different or draws + 1 == DRAWS:
            break
        [problem.draw(trial) for trial in different]
    return {name: max(each[name] for each in errors) for name in errors[0]}, not different, draws


def check_training(row, engine, problem):
    """A batch of 128 has millions of decisions, and always ties among them: PyTorch's own f32 is several 1e-4 away from
    its f64. Both are measured against the f64; gia-gpu may be twice as far away as PyTorch, or 1e-4."""
    save_file(problem.tensors(), engine.input(row))
    exact = rival.training_check(problem, torch.float64)
    errors = training_errors(engine.check(row), exact)
    own = training_errors(rival.training_check(problem), exact)
    same = all(errors[name] <= max(TOLERANCE, 2 * own[name]) for name in errors)
    return errors | {f"PyTorch's own {name}": value for name, value in own.items()}, same, 0
