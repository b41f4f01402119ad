#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The vendor's librknnrt.so for aarch64, from PyPI: tools/vendor-library.sh FILE
#
# We may not redistribute it: it is fetched for the tests that need it, and never committed. The hash ensures that it is
# the one whose behaviour the tests and docs/explanation/runtime-facts.md describe.
set -eu

version=1.5.2
sha256=1b278f220361ffda3a91ba69affb650c2dd8acaa295b6883da8d6ea966fb8e32
file=$1
python=${PYTHON:-python3}

is_right() { echo "$sha256  $file" | sha256sum --check --status 2> /dev/null; }
[ -e "$file" ] && is_right && exit 0

mkdir -p "$(dirname "$file")"
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
"$python" -m pip --disable-pip-version-check --quiet download --no-deps --only-binary=:all: --dest "$fetched" \
    --platform manylinux2014_aarch64 --python-version 3.11 "rknpu==$version"
"$python" -m zipfile -e "$fetched"/*.whl "$fetched"
cp "$fetched"/rknpu.libs/librknnrt-*.so "$file"
is_right || { echo "$file: not the librknnrt.so $version that the tests were written against" >&2; exit 1; }
