#!/usr/bin/env bash
# Starts pairs of runs together, as `make test` does with a few, and kills runs, sweeps and trainings at random moments; counts
# what became of them. Mutated files and odd options are counted by `make test` alone:
#
#     tests/campaign.sh PROGRAM [PAIRS] [KILLS]
#     cargo test --release --test library mutat -- --nocapture
#     cargo test --release --test cli odd_values -- --nocapture
set -euo pipefail
program=$(realpath "$1") pairs=${2:-60} kills=${3:-60}
samples=$(realpath "$(dirname "$0")/../samples")
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
run="$program run --iterations 60 --batches 2 --no-names --device cpu"

# A folder is whole when its report, its page and as many pictures as it says are there, all of one run.
whole() { # FOLDER SEED
    [ -f "$1/report.json" ] && [ -f "$1/report.html" ] && [ -f "$1/grid.png" ] \
        && grep -q "\"seed\": $2," "$1/report.json" && [ "$(ls "$1/images" | wc -l)" = 4 ] \
        && [ -z "$(find "$1" -name '.gia-gpu*')" ]
}

both=0
for ((i = 0; i < pairs; i++)); do
    rm -rf out*
    codes=()
    $run --seed 1 > 1.txt 2>&1 & first=$!
    $run --seed 2 > 2.txt 2>&1 & second=$!
    wait $first && codes+=(0) || codes+=($?)
    wait $second && codes+=(0) || codes+=($?)
    if [ "${codes[*]}" = "0 0" ] && { { whole out 1 && whole out-2 2; } || { whole out 2 && whole out-2 1; }; }; then
        both=$((both + 1))
    else
        echo "pair $i without a folder: exit codes ${codes[*]}"; cat 1.txt 2.txt; ls -A out*
    fi
done
echo "$both of $pairs pairs without a folder: both whole"

one=0
for ((i = 0; i < pairs; i++)); do
    rm -rf given
    codes=()
    $run --seed 1 --out given > 1.txt 2>&1 & first=$!
    $run --seed 2 --out given > 2.txt 2>&1 & second=$!
    wait $first && codes+=(0) || codes+=($?)
    wait $second && codes+=(0) || codes+=($?)
    case "${codes[*]}" in
        "0 2") whole given 1 && one=$((one + 1)) || echo "pair $i: not whole" ;;
        "2 0") whole given 2 && one=$((one + 1)) || echo "pair $i: not whole" ;;
        *) echo "pair $i with a folder: exit codes ${codes[*]}"; cat 1.txt 2.txt ;;
    esac
done
echo "$one of $pairs pairs with a folder: one refused, one whole"

good=0
rm -rf given
$run --seed 1 --out given > 1.txt
for ((i = 0; i < kills; i++)); do
    $run --seed $((i + 2)) --out given --force > 2.txt 2>&1 & child=$!
    sleep "0.0$((RANDOM % 100))"
    kill -9 $child 2> kill.txt || true
    wait $child 2> kill.txt || true
    # Whole, of an earlier run or of this one, or without a report.
    if [ ! -f given/report.json ]; then
        good=$((good + 1))
    else
        rm -f given/.gia-gpu.lock; rm -rf given/.gia-gpu-partial-*
        seed=$(sed -n 's/^ *"seed": \([0-9]*\),$/\1/p' given/report.json | head -1)
        whole given "$seed" && good=$((good + 1)) || { echo "kill $i: mixed"; ls -A given given/images; }
    fi
done
echo "$good of $kills kills: whole, or nothing"
$run --seed 1 --out given --force > 1.txt
whole given 1 && echo "the next run is whole, and nothing is left of the kills"

# Kills a command again and again, each time going on from where it was, until it ends; its files must be those of one that was never killed.
done_kills=0 rounds=0 same=0
resumed() { # COMMAND WITH {} FOR ITS OUTPUT, WHAT GOES ON, FILES
    local command=$1 resume=$2 first code child start span wait_ms
    shift 2
    start=$(date +%s%N)
    ${command//\{\}/whole} > 1.txt 2>&1
    span=$((($(date +%s%N) - start) / 1000000))
    for ((n = 0; n < kills; )); do
        rm -rf stopped*
        rounds=$((rounds + 1)) first=1
        while :; do
            ${command//\{\}/stopped} $([ $first = 1 ] || echo "$resume") > 2.txt 2>&1 & child=$!
            # Up to the time that the whole takes.
            sleep "$(printf '%d.%03d' $(((wait_ms = RANDOM * span / 32768) / 1000)) $((wait_ms % 1000)))"
            if kill -9 $child 2> kill.txt; then
                n=$((n + 1)) done_kills=$((done_kills + 1))
            fi
            code=0
            wait $child 2> kill.txt || code=$?
            [ $code = 137 ] || break
            # A training that was killed before its first checkpoint has nothing to go on from.
            { [ -n "$resume" ] && ! ls stopped*checkpoint* > kill.txt 2>&1; } || first=0
        done
        [ $code = 0 ] || { echo "exit code $code"; cat 2.txt; }
        local equal=1 file
        for file in "$@"; do cmp "${file/WHERE/whole}" "${file/WHERE/stopped}" || equal=0; done
        same=$((same + equal))
    done
}
resumed "$program sweep --arch lenet-zhu --batch-sizes 1,2 --batches 4 --seeds 1,2 --iterations 300 --no-names --device cpu --out {}" "" \
    WHERE/results.csv WHERE/batches.csv
mkdir data
cp "$samples"/*.gz data/
resumed "$program train victim --arch lenet-zhu --data data --epochs 12 --batch 16 --device cpu --out {}.safetensors" --resume \
    WHERE.safetensors
echo "$same of $rounds sweeps and trainings end with the bytes of one that was never killed, after $done_kills kills"
[ "$both" = "$pairs" ] && [ "$one" = "$pairs" ] && [ "$good" = "$kills" ] && [ "$same" = "$rounds" ]
