#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Check for what the package is built with, before anything is made: tools/need-to-build.sh VENV PYTHON
# A Python that can make the environment VENV is only needed if there is none.
set -u
venv=$1
python=$2

fail() {
    echo "$1" >&2
    exit 1
}

missing=
if ! "$venv/bin/python" -m pip --version > /dev/null 2>&1; then
    command -v "$python" > /dev/null || fail "$python is missing; on Debian or Ubuntu: apt-get install python3 python3-venv g++"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' \
        || fail "$python is $("$python" -V 2>&1), and 3.9 or later is needed; with another: make PYTHON=python3.12"
    # Debian has the two in a package of their own, without which an environment would get no pip.
    "$python" -c 'import ensurepip, venv' 2> /dev/null || missing="$missing python3-venv"
fi
command -v "${CXX:-c++}" > /dev/null || command -v g++ > /dev/null || missing="$missing g++"
[ -z "$missing" ] || fail "something that builds the package is missing; on Debian or Ubuntu: apt-get install$missing"
