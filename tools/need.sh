#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Check for commands and name the packages of missing ones: tools/need.sh COMMAND=PACKAGE...
# COMMAND is looked up on the path; PACKAGE is the Debian or Ubuntu package that has it.
missing=
for pair in "$@"; do
    command -v "${pair%%=*}" > /dev/null || missing="$missing ${pair#*=}"
done
[ -z "$missing" ] && exit 0
echo "missing on this machine:$missing" >&2
echo "on Debian or Ubuntu: apt-get install$missing" >&2
exit 1
