#!/bin/sh
# Runs cmocka programs one after the other; their own summaries go to the terminal. Fails if any does.
failed=0
for test in "$@"; do
    echo "== ${test##*tests/}"
    "$test" || failed=$((failed + 1))
done
[ $failed -eq 0 ] || { echo "$failed test programs failed" >&2; exit 1; }
