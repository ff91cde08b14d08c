#!/bin/sh
# Runs fuzzers, one per processor at a time, each for FUZZ_SECONDS from its seeds in
# tests/fuzz/<area>/corpus/<module>/. New inputs go to a scratch folder that is removed; the log of a
# crash is printed and its input stays in the working directory.
if [ "$1" = --one ]; then
    fuzzer=$2 scratch=$3
    path=${fuzzer##*tests/fuzz/}
    area=${path%%/*} module=${path##*/}; module=${module%_fuzz}
    seeds=tests/fuzz/$area/corpus/$module
    [ -d "$seeds" ] || seeds=
    mkdir -p "$scratch/$area-$module"
    # shellcheck disable=SC2086 # $seeds is one word or none
    if "$fuzzer" -max_total_time="${FUZZ_SECONDS:-5}" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 "$scratch/$area-$module" $seeds >"$scratch/$area-$module.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/$area-$module.log")
        echo "fuzz $path: $runs runs"
        echo passed >>"$scratch/passed"
    else
        echo "fuzz $path: FAILED"; tail -40 "$scratch/$area-$module.log"
        echo failed >>"$scratch/failed"
    fi
    exit 0
fi
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
: >"$scratch/passed"; : >"$scratch/failed"
printf '%s\n' "$@" | xargs -P "$(nproc)" -I{} sh "$0" --one {} "$scratch"
passed=$(wc -l <"$scratch/passed") failed=$(wc -l <"$scratch/failed")
echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -eq $# ]
