#!/usr/bin/env bash
# The report's cures for rare classes, each with and without, two seeds, the same number of pictures.
# Usage: [ONLY="none class-half"] results/maskrcnn/cures.sh DATA RUNS [SEED ...]      (DATA/test is made if it is not there)
# A quarter of an hour for a seed on two quick cores. Started again, it goes on where it was.
set -euo pipefail
data=$1 runs=$2
shift 2
here=$(dirname "$0")/cures

wadlib render "$data/full" --videos 120 --frames 3 --every 25 --seed 3000
wadlib prepare "$data/full" "$data/strip" --view strip
wadlib prepare "$data/full" "$data/report" --view report
wadlib render "$data/test" --videos 40 --frames 2 --every 40 --seed 2000

# NAME VIEW WEIGHTS [OPTION ...]: 600 pictures; threshold from the validation videos; scored on full-size frames.
one() {
    [[ -z "${ONLY:-}" || " $ONLY " == *" $1 "* ]] || return 0
    local name=$1-seed$seed view=$2 weights=$3
    shift 3
    local run=$runs/$name
    wadlib train maskrcnn "$data/$view" --config classroom --view "$view" --weights "$weights" --out "$run" \
        --seed "$seed" --stage all:3:0.0005 --stage all:1:0.0001 --steps 150 --validation-frames 6 --workers 1 "$@"
    wadlib predict "$data/$view" --weights "$run/last.h5" --split by_video --seed "$seed" --out "$run/validation"
    wadlib evaluate "$data/$view" "$run/validation" --split by_video --seed "$seed" --draws 0 --sweep >"$run/sweep.txt"
    threshold=$(sed -n 's/^Largest mean at \([0-9.]*\)\. .*/\1/p' "$run/sweep.txt")
    wadlib predict "$data/test" --weights "$run/last.h5" --threshold "$threshold" --out "$run/test"
    mkdir -p "$here/$name"
    wadlib evaluate "$data/test" "$run/test" --draws 0 --json "$here/$name/evaluation.json"
    sed -i "s/^{/{\n  \"threshold\": $threshold,/" "$here/$name/evaluation.json"
    cp "$run/log.csv" "$run/config.json" "$here/$name/"
}

for seed in "${@:-0}"; do
    none=(--window 512 --rare-share 0 --copy-paste 0)
    one none strip imagenet "${none[@]}"
    one frames strip imagenet "${none[@]}" --rare-share 0.5
    one copies strip imagenet "${none[@]}" --copy-paste 1
    one class-half strip imagenet "${none[@]}" --loss-weight mrcnn_class_loss=0.5
    one no-weights strip none "${none[@]}"
    one quarter report imagenet "${none[@]}" --window 256
done
