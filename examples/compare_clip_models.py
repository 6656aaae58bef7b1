"""Every CLIP of `tests/fixtures/clip_models.py` as its library and as gia-gpu compute it, from the same files.

    python compare_clip_models.py GIA CLIP_FEATURES [cpu gpu] [--only WORD]

GIA names PNG pictures of the model's size and of others (`gia-gpu name --json`); CLIP_FEATURES is the example
`clip_features`. Bounds: 1e-5 for image and text features, relative to a row's norm, and for cosines of pictures that are
not resized; 2e-3 for cosines where the library resizes, in 8 bits; 1e-4 for d(cosine)/d(pixels), relative to a picture's
norm. What is refused must name the key.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fixtures"))
from clip_libraries import load
from clip_models import MODELS
from clip_refused import REFUSED
from clip_tokenizers import LABELS

BOUNDS = dict(image_features=1e-5, text_features=1e-5, same_size=1e-5, resized=2e-3, gradient=1e-4, probabilities=1e-5)


def picture(height, width, seed):
    """Ramps, edges and a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    planes = [
        255 * x / max(width - 1, 1),
        255 * ((x * 5 // width + y * 4 // height) % 2),
        255 * np.exp(-((y - height / 3) ** 2 + (x - width / 2) ** 2) / (height * width / 9)),
    ]
    planes = np.stack(planes, 2) + rng.normal(0, 12, (height, width, 3))
    return Image.fromarray(planes.clip(0, 255).astype(np.uint8))


def pictures(size):
    small, large = max(size // 2, 8), size * 2
    sizes = [
        (size, size),
        (size, size),
        (size, large + 5),
        (large * 2 + 3, size + 7),
        (large + 11, large + 11),
        (small + 3, small),
    ]
    return [picture(h, w, seed) for seed, (h, w) in enumerate(sizes)]


def unit(rows):
    return rows / rows.norm(dim=-1, keepdim=True)


def resized(picture, prepared):
    """Whether the library resampled the picture: else each of its channels is a line through the pixels."""
    pixels, prepared = np.asarray(picture, dtype=np.float64), prepared[0].numpy()
    return any(
        np.abs(np.polyval(np.polyfit(p.ravel(), q.ravel(), 1), p) - q).max() > 1e-4 * np.ptp(q)
        for p, q in zip(pixels.transpose(2, 0, 1), prepared)
    )


def rows_apart(found, expected):
    found, expected = found.double().flatten(1), expected.double().flatten(1)
    return ((found - expected).norm(dim=1) / expected.norm(dim=1)).max().item()


# The second is longer than the models' context.
TEMPLATES = ["{}", "one two three four {} five six seven eight nine ten eleven twelve"]


def name(gia, folder, device, files):
    with open(f"{folder}/templates.txt", "w") as file:
        file.write("\n".join(TEMPLATES))
    command = [
        gia,
        "name",
        "--clip",
        folder,
        "--labels",
        ",".join(LABELS),
        "--templates",
        f"{folder}/templates.txt",
        "--json",
        "--device",
        device,
        *files,
    ]
    return subprocess.run(command, capture_output=True, text=True)


def compare(model, make, gia, features, devices):
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        own = load(folder)
        shown = pictures(own.size)
        files = []
        for i, shown_picture in enumerate(shown):
            files.append(f"{folder}/{i}.png")
            shown_picture.save(files[-1])
        ids = own.tokens(LABELS)
        prepared = [own.prepare(p) for p in shown]
        pixels = torch.cat(prepared[:2]).requires_grad_()
        images, texts = own.image(pixels), own.text(ids)
        with torch.no_grad():
            sentences = [template.format(label) for label in LABELS for template in TEMPLATES]
            vectors = unit(own.text(own.tokens(sentences))).unflatten(0, (-1, len(TEMPLATES))).mean(1)
            cosines = unit(torch.cat([own.image(p) for p in prepared])) @ unit(vectors).T
        pairs = torch.arange(len(pixels)) % len(texts)
        (unit(images) * unit(texts).detach()[pairs]).sum().backward()
        logits = own.scale.exp() * cosines + (0 if own.bias is None else own.bias)
        probabilities = logits.softmax(1) if own.bias is None else logits.sigmoid()
        given = ids.where(ids != own.tokenize.pad_token_id, -1) if getattr(own, "masked", False) else ids
        save_file({"pixels": pixels.detach().float(), "tokens": given.float()}, f"{folder}/in.safetensors")
        # Some files ask for another size first even then.
        plain = 0 if resized(shown[0], prepared[0]) else 2
        spread = (cosines.max() - cosines.min()).item()
        worst = {}
        for device in devices:
            said = name(gia, folder, device, files)
            assert said.returncode == 0, f"{model}: {said.stderr}"
            said = json.loads(said.stdout)
            apart = (torch.tensor(said["cosine"]) - cosines).abs()
            subprocess.run(
                [features, folder, f"{folder}/in.safetensors", f"{folder}/out.safetensors", device],
                check=True,
                capture_output=True,
            )
            found = load_file(f"{folder}/out.safetensors")
            errors = dict(
                image_features=rows_apart(found["image_features"], images.detach()),
                text_features=rows_apart(found["text_features"], texts.detach()),
                same_size=apart[:plain].max().item() if plain else 0.0,
                resized=apart[plain:].max().item(),
                gradient=rows_apart(found["gradient"], pixels.grad),
                probabilities=(torch.tensor(said["probabilities"]) - probabilities)[:plain].abs().max().item()
                if plain
                else 0.0,
            )
            worst = {key: max(worst.get(key, 0), error) for key, error in errors.items()}
        print(f"{model} (spread {spread:.2f}):", ", ".join(f"{k} {v:.1e}" for k, v in worst.items()), flush=True)
        return {k: v for k, v in worst.items() if not v <= BOUNDS[k]}, worst


def refused(model, make, words, gia):
    with tempfile.TemporaryDirectory() as folder:
        make(folder)
        file = f"{folder}/0.png"
        picture(32, 32, 0).save(file)
        said = name(gia, folder, "cpu", [file])
        missing = [word for word in words if word not in said.stderr]
        print(f"refused, {model}: {said.stderr.strip()}".replace(folder, "."), flush=True)
        right = said.returncode == 1 and not missing and "panicked" not in said.stderr
        return {} if right else {"exit": said.returncode, "missing": missing}


if __name__ == "__main__":
    gia, features, *rest = sys.argv[1:]
    only = rest[rest.index("--only") + 1] if "--only" in rest else ""
    devices = [word for word in rest if word in ("cpu", "gpu")] or ["cpu"]
    torch.manual_seed(0)
    failed, largest, count = {}, {}, 0
    for model, make in MODELS.items():
        if only in model:
            try:
                wrong, worst = compare(model, make, gia, features, devices)
            except Exception as error:
                if "--keep-going" not in rest:
                    raise
                wrong, worst = {"error": str(error)[:600]}, {}
                print(model, wrong)
            failed |= {model: wrong} if wrong else {}
            largest = {k: max(largest.get(k, 0), worst.get(k, 0)) for k in BOUNDS}
            count += 1
    print(f"{count} models, largest errors:", ", ".join(f"{k} {v:.1e}" for k, v in largest.items()))
    for model, (make, words) in REFUSED.items():
        if only in model:
            wrong = refused(model, make, words, gia)
            failed |= {f"refused, {model}": wrong} if wrong else {}
    assert not failed, json.dumps(failed, indent=1)
