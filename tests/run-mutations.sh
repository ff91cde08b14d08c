#!/bin/sh
# Runs the mutation mills (tests/support/mutator.h), each parser with SLUICE_MUTATIONS inputs, and
# prints a table. A report of a sanitizer or a broken promise ends a mill, and this run with 1.
export SLUICE_MUTATIONS="${SLUICE_MUTATIONS:-1000000}" UBSAN_OPTIONS=print_stacktrace=1
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
failed=0 parsers=0 reports=0
printf '%-14s %9s %9s %9s %8s\n' parser inputs accepted refused reports
for mill in "$@"; do
    status=ok
    "$mill" >"$log" 2>&1 || { status=failed; failed=$((failed + 1)); }
    found=$(grep -cE 'ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:' "$log")
    reports=$((reports + found))
    parsers=$((parsers + $(grep -c '^mutations:' "$log")))
    awk '/^mutations:/ { printf "%-14s %9d %9d %9d %8d\n", $2, $3, $5, $3 - $5, 0 }' "$log"
    [ $status = ok ] || { echo "${mill##*tests/}: FAILED with $found reports"; tail -60 "$log"; }
done
echo "mutations: $parsers parsers, $reports reports, $failed mills failed"
[ $failed -eq 0 ]
