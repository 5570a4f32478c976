#!/usr/bin/env bash
# The report's remedy (section 3.1), with and without: 400 pictures from rendered videos alone, or 3 of 5 from Cityscapes.
# Usage: results/maskrcnn/streets/remedy.sh RENDERED CITYSCAPES RUNS NAME=ROOT [NAME=ROOT ...]      (two seeds; goes on where it was)
# NAME=ROOT are labelled frames to score on, with the score threshold 0.35 for all (the one of the weights "rendered").
set -euo pipefail
rendered=$1 cityscapes=$2 runs=$3
shift 3
here=$(dirname "$0")/remedy

for seed in 0 1; do
    for name in alone mixed; do
        also=()
        [[ $name == alone ]] || also=(--also "$cityscapes:0.6")
        run=$runs/$name-seed$seed
        wadlib train maskrcnn "$rendered" "${also[@]}" --config classroom --weights rendered --out "$run" --seed "$seed" \
            --stage all:3:0.0003 --stage all:1:0.0001 --steps 100 --window 512 --validation-frames 6 --train-fraction 0.97 \
            --copy-paste 1 --dtype mixed_bfloat16 --workers 1
        mkdir -p "$here/$name-seed$seed"
        for test in "$@"; do
            wadlib predict "${test#*=}" --weights "$run/last.h5" --threshold 0.35 --out "$run/${test%%=*}"
            wadlib evaluate "${test#*=}" "$run/${test%%=*}" --draws 0 --json "$here/$name-seed$seed/${test%%=*}.json"
        done
        cp "$run/log.csv" "$run/config.json" "$here/$name-seed$seed/"
    done
done
