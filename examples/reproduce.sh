#!/usr/bin/env bash
# Trains the comparison: three generators, three seeds each, side by side on the GPUs that there are, or one after the
# other on a processor. All see the same samples, made once; a run that was interrupted goes on where it was, and one that
# fails is gone on with once. Several runs share a GPU better where CUDA's MPS runs (nvidia-cuda-mps-control -d).
#   bash examples/reproduce.sh examples/configs/all_families.yaml runs
#   MODELS=workspace SEEDS="0 1" bash examples/reproduce.sh examples/configs/all_families.yaml runs --samples_scale 0.01
set -euo pipefail
if [ $# -lt 2 ]; then
    sed -n 's/^#   /usage: /p' "$0" >&2
    exit 2
fi
config=$1 runs=$2
shift 2
mkdir -p "$runs"
gpus=$( (nvidia-smi -L 2>/dev/null || true) | wc -l)
number=0
for seed in ${SEEDS:-0 1 2}; do
    for model in ${MODELS:-workspace baseline dual_stream}; do
        name=$model-$seed
        shape=()
        # Of equal size, but narrower and deeper: the shape in which it learned best (docs/trials).
        [ "$model" != baseline ] || shape=(--serialized true --hidden_size 192 --num_hidden_layers 6
            --intermediate_size 576 --num_attention_heads 6)
        command=(python -m hf_duplex.training.train "$config" --model_type "$model" --output_dir "$runs/$name"
            --seed "$seed" --data_seed_offset "-$seed" --cache_dir "$runs/cache" "${shape[@]}" "$@")
        echo "$name: log in $runs/$name.log"
        if [ "$gpus" -gt 0 ]; then
            export CUDA_VISIBLE_DEVICES=$((number % gpus))
            { "${command[@]}" || "${command[@]}"; } >> "$runs/$name.log" 2>&1 &
        else
            "${command[@]}" >> "$runs/$name.log" 2>&1
        fi
        number=$((number + 1))
    done
done
status=0
while [ "$(jobs -p | wc -l)" -gt 0 ]; do
    wait -n || status=$?
done
exit $status
