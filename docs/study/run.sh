#!/bin/sh
# The study of this folder: sh docs/study/run.sh GIA_GPU CIFAR OUT
#
# GIA_GPU is the program, CIFAR a copy of CIFAR-10 with folders of classes under train/ and test/, OUT a folder for victims
# and results. Hours; started again, it goes on where it was stopped. A victim that OUT holds as ARCH.safetensors is not
# trained: the results here of trained resnet20 are those of the public resnet20_cifar10, put there under that name.
set -eu
program=$(realpath "$1") cifar=$(realpath "$2") here=$(dirname "$(realpath "$0")")
mkdir -p "$3"
cd "$3"

train() { # architecture, then options
    test -f "$1.safetensors" && return
    resume=
    test -f "$1.checkpoint.safetensors" && resume=--resume
    architecture=$1
    shift
    "$program" train victim --arch "$architecture" --data "$cifar/train" --test "$cifar/test" --nesterov \
        --out "$architecture.safetensors" $resume "$@"
}

train lenet-zhu --batch 128 --epochs 12 --learning-rate 0.1
train resnet20 --batch 128 --epochs 14 --learning-rate 0.2
train convnet64 --batch 64 --limit 20000 --epochs 1 --learning-rate 0.1

for study in lenet-zhu resnet20 convnet64; do
    "$program" sweep --config "$here/$study.toml" --data "$cifar/test" --out "$study"
done
"$program" study guidance --data "$cifar/test" --batch-sizes 1,2,4 --batches 16 --iterations 300 \
    --guide-weights 0.002 --out guidance
"$program" guide --data "$cifar/test" --shuffle --batch 2 --batches 40 --batch-labels distinct --distractors 2 --one-to-one \
    --iterations 300 --compare free --out guide
