#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run the parts of a suite one after the other, all of them, and sum up: tools/parts.sh 'NAME|MINUTES|COMMAND'...
# MINUTES is about what it takes on two cores, for whoever waits.
set -u

total=$#
number=0
status=0
summary=
for part in "$@"; do
    number=$((number + 1))
    name=${part%%|*}
    rest=${part#*|}
    command=${rest#*|}
    printf '\n[%d/%d] %s, about %s min: %s\n' "$number" "$total" "$name" "${rest%%|*}" "$command"
    began=$(date +%s)
    if sh -c "$command"; then result=passed; else result=FAILED status=1; fi
    seconds=$(($(date +%s) - began))
    summary="$summary$(printf '  %-28s %s in %d min %02d s' "$name" "$result" $((seconds / 60)) $((seconds % 60)))
"
done
printf '\n%s' "$summary"
exit $status
