#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches Triton's perf_analyzer into the folder $1, with the libraries that it needs, and installs nothing else.
# PyPI's package of that name needs a newer glibc than Debian 12's; the binary in this wheel does not.
set -e
folder=$1
python=${PYTHON:-python3}
mkdir -p "$folder/wheels"
"$python" -m pip --disable-pip-version-check --quiet download --no-deps --only-binary :all: \
    --platform manylinux1_x86_64 --dest "$folder/wheels" tritonclient==2.50.0 nvidia-cuda-runtime-cu12==12.3.101
for wheel in "$folder"/wheels/*.whl; do
    "$python" -m zipfile -e "$wheel" "$folder"
done
(cd "$folder" && apt-get -qq download libb64-0d && dpkg -x libb64-0d_*.deb .)
mkdir -p "$folder/lib"
find "$folder/usr/lib" "$folder/nvidia" -name '*.so*' -exec cp -P {} "$folder/lib/" \;
cp "$(find "$folder" -name perf_analyzer -type f | head -n 1)" "$folder/perf_analyzer"
chmod +x "$folder/perf_analyzer"
