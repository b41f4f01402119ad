#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Python tests on aarch64, emulated, with the wheel for boards: tools/aarch64-tests.sh simulated|vendor [pytest arguments]
#
# "simulated" tests with the simulated NPU; "vendor" with the vendor's librknnrt.so on a fake kernel driver.
# PYTHON names a Python of this machine with pip and auditwheel; everything fetched and built is in build/.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
kind=$1
shift
cd "$root"
tools/need.sh cmake=cmake qemu-aarch64=qemu-user aarch64-linux-gnu-g++=g++-aarch64-linux-gnu
build=$root/build/aarch64
tools/aarch64-python.sh "$build"

# Build the wheel unless it is newer than all its sources.
if [ ! -e "$build/.wheel" ] || [ -n "$(find src native pyproject.toml CMakeLists.txt -newer "$build/.wheel" -type f \
    ! -path '*/_native/*' ! -name '*.pyc' -print -quit)" ]; then
    tools/wheel.sh aarch64 "$build/wheel"
    rm -rf "$build/package"
    "${PYTHON:-python3}" -m zipfile -e "$build"/wheel/*.whl "$build/package"
    touch "$build/.wheel"
fi
export PYTHONPATH="$build/package"
export PYTHONDONTWRITEBYTECODE=1

if [ "$kind" = vendor ]; then
    export EZ_RKNN_VENDOR_LIBRARY="$root/build/vendor/librknnrt.so"
    export EZ_RKNN_FAKE_DRIVER="$root/build/vendor/driver/libfake_npu.so"
    tools/vendor-library.sh "$EZ_RKNN_VENDOR_LIBRARY"
    cmake -S tests/vendor/driver -B build/vendor/driver -DCMAKE_BUILD_TYPE=Release \
        -DCMAKE_TOOLCHAIN_FILE="$root/cmake/aarch64-linux-gnu.cmake" > build/vendor/driver.log
    cmake --build build/vendor/driver >> build/vendor/driver.log
    native=build/native-aarch64
    cmake -S . -B $native -DEZ_RKNN_BUILD_TESTS=ON -DCMAKE_TOOLCHAIN_FILE="$root/cmake/aarch64-linux-gnu.cmake" \
        >> build/vendor/driver.log
    cmake --build $native --parallel 2 --target ez_rknn_observed_simulator >> build/vendor/driver.log
    export EZ_RKNN_OBSERVED_SIMULATOR="$root/$native/native/tests/simulator/libez_rknn_observed_simulator.so"
    export EZ_RKNN_CONFORMANCE_PAGE="$root/docs/reference/conformance.md"
    export EZ_RKNN_PRELOAD="$EZ_RKNN_FAKE_DRIVER"
fi
exec "$build/python" -m pytest -p no:cacheprovider "$@"
