#!/bin/sh
# What PyTorch and Flower save is what gia-gpu reads, and the reverse; CLIP is what transformers and open_clip say. Needs
# a Python with torch, torchvision, flwr, safetensors, transformers and open_clip_torch ($1), a gia-gpu binary ($2) and the
# examples clip_features ($3) and network_numbers ($4).
set -eu
python=$1 gia=$2 clip=$3 numbers=$4
here=$(cd "$(dirname "$0")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# $1: file of true labels, $2: JSON of `gia-gpu labels`
check_labels() {
    "$python" - "$1" "$2" <<'END'
import json, sys
truth = [int(label) for label in open(sys.argv[1]).read().split(",")]
counts = json.load(open(sys.argv[2]))["counts"]
found = [c for c, n in enumerate(counts) for _ in range(n)]
assert found == sorted(truth), f"restored {found}, true {sorted(truth)}"
print("labels restored:", found)
END
}

echo "== a gradient that PyTorch saved"
"$python" "$here/pytorch_gradient.py" "$out/torch"
"$gia" labels --arch resnet18 --image-size 32 --weights "$out/torch/weights.safetensors" \
    --gradient "$out/torch/gradient.safetensors" --batch 8 --json > "$out/torch/found.json"
check_labels "$out/torch/labels.txt" "$out/torch/found.json"
"$gia" capture --arch resnet18 --image-size 32 --weights "$out/torch/weights.safetensors" \
    --images "$out"/torch/[0-7].png --labels "$(cat "$out/torch/labels.txt")" --out "$out/torch/ours.safetensors"
"$python" "$here/compare_gradients.py" "$out/torch/gradient.safetensors" "$out/torch/ours.safetensors"
"$gia" invert --arch resnet18 --image-size 32 --weights "$out/torch/weights.safetensors" \
    --gradient "$out/torch/gradient.safetensors" --batch 8 --iterations 5 --out "$out/torch/report"

echo "== an update that a Flower client saved"
"$python" "$here/flower_client.py" "$out/flower"
"$gia" labels --arch resnet18 --image-size 32 --weights "$out/flower/server.npz" \
    --gradient "$out/flower/update.npz" --batch 8 --local-steps 4 --local-batch 2 --local-lr 0.01 --json \
    > "$out/flower/found.json"
check_labels "$out/flower/labels.txt" "$out/flower/found.json"
"$gia" labels --arch resnet18 --image-size 32 --weights "$out/flower/server.npz" --kind model \
    --gradient "$out/flower/local.npz" --batch 8 --local-steps 4 --local-batch 2 --local-lr 0.01 --json \
    > "$out/flower/found.json"
check_labels "$out/flower/labels.txt" "$out/flower/found.json"
"$gia" invert --arch resnet18 --image-size 32 --weights "$out/flower/server.npz" \
    --gradient "$out/flower/update.npz" --batch 8 --local-steps 4 --local-batch 2 --local-lr 0.01 --iterations 3 \
    --out "$out/flower/report"

echo "== a model that gia-gpu trained, in torchvision"
for i in 0 1 2 3 4 5 6 7; do
    class=$out/data/class$((i % 2))
    mkdir -p "$class"
    cp "$out/torch/$i.png" "$class/"
done
"$gia" train victim --arch resnet18 --image-size 32 --data "$out/data" --epochs 2 --batch 4 \
    --out "$out/trained.safetensors"
"$gia" evaluate --weights "$out/trained.safetensors" --data "$out/data" --logits "$out/logits.safetensors"
"$python" "$here/check_trained.py" "$out/trained.safetensors" "$out/logits.safetensors" "$out/data"
echo "== CLIP, as transformers and open_clip compute it"
"$python" "$here/compare_clip.py" "$clip" cpu gpu
"$python" "$here/compare_clip_models.py" "$gia" "$clip" cpu gpu
echo "== whole networks of torchvision and transformers, exported"
"$python" "$here/compare_models.py" "$gia" "$numbers"
echo "interoperates"
