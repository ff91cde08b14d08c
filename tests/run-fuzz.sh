#!/bin/sh
# Runs each fuzzer for FUZZ_SECONDS from its seeds in tests/fuzz/<area>/corpus/<module>/; new inputs go
# to a scratch folder that is removed, crashes stay in the working directory.
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0
for fuzzer in "$@"; do
    path=${fuzzer##*tests/fuzz/}
    area=${path%%/*} module=${path##*/}; module=${module%_fuzz}
    seeds=tests/fuzz/$area/corpus/$module
    mkdir -p "$scratch/$module"
    if "$fuzzer" -max_total_time="${FUZZ_SECONDS:-5}" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
        -print_final_stats=1 "$scratch/$module" $([ -d "$seeds" ] && echo "$seeds") \
        >"$scratch/$module.log" 2>&1; then
        passed=$((passed + 1))
        echo "fuzz $path: $(sed -n 's/^stat::number_of_executed_units: *//p' "$scratch/$module.log") runs"
    else
        failed=$((failed + 1))
        echo "fuzz $path: FAILED"; tail -40 "$scratch/$module.log"
    fi
done
echo "fuzz: $passed passed, $failed failed"
[ $failed -eq 0 ]
