#!/bin/sh
# Runs a command and keeps what it prints in a file as well: sh logged.sh FILE COMMAND... The exit
# status is the command's.
log=$1
shift
mkdir -p "$(dirname "$log")" || exit 1
rm -f "$log.status"
{
    "$@" 2>&1
    echo $? >"$log.status"
} | tee "$log"
status=$(cat "$log.status")
rm -f "$log.status"
exit "${status:-1}"
