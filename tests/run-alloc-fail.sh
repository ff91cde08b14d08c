#!/bin/sh
# Runs each test program with its nth allocation failing, n = 0, STEP, 2*STEP ...: it may fail, it may
# not crash. libnice asserts that OpenSSL's HMAC has memory: that end of the process is its own, counted
# apart. run-alloc-fail.sh SHIM PROGRAM...
shim=$1; shift
: "${ALLOC_RUNS:=120}" "${ALLOC_STEP:=7}"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
crashes=0 runs=0 asserted=0
for program in "$@"; do
    n=0
    while [ $n -lt $((ALLOC_RUNS * ALLOC_STEP)) ]; do
        LD_PRELOAD=$shim ALLOC_FAIL_AT=$n timeout 60 "$program" >"$log" 2>&1
        status=$?
        runs=$((runs + 1))
        # 255 is how cmocka says that the group could not start, not a signal
        if [ $status -eq 134 ] && grep -q 'stun_sha1: Assertion' "$log"; then
            asserted=$((asserted + 1))
        elif [ $status -ge 128 ] && [ $status -ne 255 ]; then
            echo "crash: $program with allocation $n failing: signal $((status - 128))"
            crashes=$((crashes + 1))
        fi
        n=$((n + ALLOC_STEP))
    done
done
echo "alloc-fail: $((runs - crashes)) passed ($asserted ended by libnice), $crashes failed"
[ $crashes -eq 0 ]
