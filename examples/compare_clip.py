"""CLIP on the engine against `transformers` and `open_clip`: features, logits and the gradient at the pixels.

    python compare_clip.py PROGRAM [cpu gpu] [--small]

Models are built from their configurations with seeded random weights, saved as safetensors and given to PROGRAM, the
example `clip_features`; nothing is downloaded. Bound: 1e-4, relative to the norm of a row.
"""

import json
import os
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

BOUND = 1e-4
SMALL_HF = dict(
    projection_dim=48,
    vision_config=dict(hidden_size=96, intermediate_size=160, num_hidden_layers=3, num_attention_heads=4,
                       image_size=40, patch_size=8, hidden_act="gelu"),
    text_config=dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                     vocab_size=500, max_position_embeddings=20, hidden_act="gelu",
                     bos_token_id=498, eos_token_id=499, pad_token_id=499),
)
SMALL_OPEN = dict(
    embed_dim=64,
    quick_gelu=True,
    vision_cfg=dict(image_size=48, layers=2, width=128, head_width=32, patch_size=16),
    text_cfg=dict(context_length=16, vocab_size=300, width=64, heads=4, layers=2),
)


def spread(model, seed):
    """Random weights that make every part count: initial biases are zeros and initial norms are ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.ndim >= 2 and "embed" not in name:
                p.copy_(noise / p[0].numel() ** 0.5)
            elif "logit_scale" in name:
                p.fill_(3.0)
            elif name.endswith("weight") and p.ndim == 1:
                p.copy_(1 + 0.1 * noise)
            elif "token_embedding" in name or p.ndim >= 2:
                p.copy_(0.3 * noise)
            else:
                p.copy_(0.1 * noise)
    return model.eval()


class HuggingFace:
    def __init__(self, config):
        from transformers import CLIPConfig, CLIPModel

        self.config = CLIPConfig(**config)
        self.config._attn_implementation = "eager"
        self.model = spread(CLIPModel(self.config), 1)
        vision, text = self.config.vision_config, self.config.text_config
        self.size, self.context, self.vocabulary = vision.image_size, text.max_position_embeddings, text.vocab_size
        self.scale = self.model.logit_scale

    def save(self, folder):
        self.model.save_pretrained(folder)

    def image(self, pixels):
        return self.model.visual_projection(self.model.vision_model(pixel_values=pixels).pooler_output)

    def text(self, tokens):
        return self.model.text_projection(self.model.text_model(input_ids=tokens).pooler_output)


class OpenClip:
    def __init__(self, config):
        import open_clip

        if isinstance(config, str):
            config = open_clip.get_model_config(config)
        self.config = config
        self.model = spread(open_clip.CLIP(**config), 2)
        vision, text = config["vision_cfg"], config["text_cfg"]
        self.size, self.context, self.vocabulary = vision["image_size"], text["context_length"], text["vocab_size"]
        self.scale = self.model.logit_scale

    def save(self, folder):
        save_file({k: v.contiguous() for k, v in self.model.state_dict().items()}, f"{folder}/model.safetensors")
        with open(f"{folder}/open_clip_config.json", "w") as file:
            json.dump({"model_cfg": self.config}, file)

    def image(self, pixels):
        return self.model.encode_image(pixels)

    def text(self, tokens):
        return self.model.encode_text(tokens)


def tokens(generator, texts, context, vocabulary):
    """Random texts from start to end; what follows the end is the end again, as CLIP's own tokeniser pads."""
    ids = torch.randint(0, vocabulary - 2, (texts, context), generator=generator)
    ids[:, 0] = vocabulary - 2
    for row in range(texts):
        end = context - 1 if row == 0 else int(torch.randint(2, context, (), generator=generator))
        ids[row, end:] = vocabulary - 1
    return ids


def reference(model, pixels, ids):
    pixels = pixels.clone().requires_grad_()
    images, texts = model.image(pixels), model.text(ids)
    unit = [f / f.norm(dim=1, keepdim=True) for f in (images, texts)]
    logits = model.scale.exp() * unit[0] @ unit[1].T
    pairs = torch.arange(len(pixels)) % len(ids)
    cosine = (unit[0] * unit[1].detach()[pairs]).sum(1)
    cosine.sum().backward()
    found = dict(image_features=images, text_features=texts, logits=logits, cosine=cosine, gradient=pixels.grad)
    return {name: tensor.detach() for name, tensor in found.items()}


def difference(found, expected):
    """The largest error of a picture or text, relative to that row's own norm; of single numbers, of all together."""
    found, expected = (t.double().reshape(len(t) if t.ndim > 1 else 1, -1) for t in (found, expected))
    return ((found - expected).norm(dim=1) / expected.norm(dim=1)).max().item()


def compare(name, model, program, devices, pictures, texts):
    generator = torch.Generator().manual_seed(3)
    pixels = torch.randn(pictures, 3, model.size, model.size, generator=generator)
    ids = tokens(generator, texts, model.context, model.vocabulary)
    expected = reference(model, pixels, ids)
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        save_file({"pixels": pixels, "tokens": ids.float()}, f"{folder}/in.safetensors")
        for device in devices:
            out = f"{folder}/{device}.safetensors"
            subprocess.run([program, folder, f"{folder}/in.safetensors", out, device], check=True)
            found = load_file(out)
            errors = {key: difference(found[key], expected[key]) for key in expected}
            print(f"{name}, {device}:", ", ".join(f"{key} {error:.1e}" for key, error in errors.items()), flush=True)
            worst = max(worst, *errors.values())
    assert worst < BOUND, f"{name}: {worst:.1e}, expected below {BOUND}"


if __name__ == "__main__":
    program, *rest = sys.argv[1:]
    devices = [word for word in rest if word in ("cpu", "gpu")] or ["cpu"]
    torch.manual_seed(0)
    compare("transformers, small, GELU", HuggingFace(SMALL_HF), program, devices, 3, 5)
    compare("open_clip, small, QuickGELU", OpenClip(SMALL_OPEN), program, devices, 3, 5)
    if "--small" not in rest:
        compare("transformers, ViT-B/32, QuickGELU", HuggingFace({}), program, devices, 2, 3)
        compare("open_clip, ViT-B-32, GELU", OpenClip("ViT-B-32"), program, devices, 2, 3)
