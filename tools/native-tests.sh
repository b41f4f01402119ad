#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configure, build and run the native tests: tools/native-tests.sh [none|address|thread|undefined|aarch64]
# A sanitizer's first finding fails the run. Everything is built in build/native-<sanitizer>.
set -eu

sanitizer=${1:-none}
option=
toolchain=
case $sanitizer in
    none) ;;
    aarch64)
        # Cross-built, and run under qemu-user.
        toolchain=-DCMAKE_TOOLCHAIN_FILE=$(cd "$(dirname "$0")/../cmake" && pwd)/aarch64-linux-gnu.cmake
        "$(dirname "$0")/need.sh" qemu-aarch64=qemu-user aarch64-linux-gnu-g++=g++-aarch64-linux-gnu
        ;;
    address | thread | undefined) option=$sanitizer ;;
    *)
        echo "usage: $0 [none|address|thread|undefined|aarch64]" >&2
        exit 2
        ;;
esac

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/native-$sanitizer
jobs=$(getconf _NPROCESSORS_ONLN)

mkdir -p "$build"
log=$build/build.log
{
    cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DEZ_RKNN_BUILD_TESTS=ON \
        -DEZ_RKNN_WARNINGS_ARE_ERRORS=ON -DEZ_RKNN_SANITIZER="$option" $toolchain \
        && cmake --build "$build" --parallel "$jobs"
} > "$log" 2>&1 || { cat "$log" >&2 && exit 1; }
cd "$build"
# Single-threaded tests have nothing for ThreadSanitizer to find, and take half of its time.
alone=
if [ "$sanitizer" = thread ]; then alone='-LE one-thread'; fi
exec ctest --output-on-failure --no-tests=error --parallel "$jobs" $alone
