#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Python tests of code that accesses users' memory, misuse included, with every access checked.
#
#   tools/memory-tests.sh address|valgrind PYTHON [pytest arguments]
#   tools/memory-tests.sh stress PYTHON [arguments of tests.stress]
#
# address: our native libraries, built with AddressSanitizer, and half a minute of the stress machine. valgrind: the
# installed package; this takes minutes, so tests that compute whole models are left out. stress: the stress machine
# alone, with the libraries of address.
set -eu

checker=$1
python=$2
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
# Allocate each object separately, or neither checker would see where one Python object ends and the next begins.
export PYTHONMALLOC=malloc
tests=$(ls tests/runtime/test_kernels.py tests/runtime/test_memory.py tests/session/test_*bind*.py tests/session/test_*value*.py \
    tests/session/test_direct*.py tests/stress/test_first_use.py tests/stress/test_descriptors.py | sort -u)
options="-q -p no:cacheprovider --timeout=600"
logs=$(mktemp -d) # not stderr: pytest would capture it, and lose it in a crash
trap 'rm -rf "$logs"' EXIT
status=0

# The package's sources, with libraries built with AddressSanitizer in place of the installed ones.
build_with_address() {
    # Where native-tests.sh builds the same libraries, and has perhaps done so.
    build=$root/build/native-address
    cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=Release -DEZ_RKNN_BUILD_TESTS=ON -DEZ_RKNN_SANITIZER=address
    cmake --build "$build" --parallel "$(getconf _NPROCESSORS_ONLN)" --target ez_rknn_engine ez_rknn_simulator
    rm -rf "$build/package"
    mkdir "$build/package"
    cp -R src/ez_rknn_async "$build/package/"
    rm -rf "$build/package/ez_rknn_async/_native"
    cmake --install "$build" --prefix "$build/package"
}

# The interpreter is not built with it, so it is preloaded; memory that the interpreter never frees is no leak of ours.
with_address() {
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libstdc++.so.6)" \
        ASAN_OPTIONS=detect_leaks=0:log_path="$logs/address" PYTHONPATH=$build/package "$@"
}

# AddressSanitizer quarantines freed memory, to detect its use: memory seems to grow until the quarantine is full.
stress_with_address() {
    with_address "$python" -m tests.stress --slowness 5 --memory-may-grow "$@"
}

case $checker in
    address)
        build_with_address
        with_address "$python" -m pytest $options "$@" $tests || status=$?
        stress_with_address --minutes 0.4 || status=$?
        ;;
    stress)
        build_with_address
        stress_with_address "$@" || status=$?
        ;;
    valgrind)
        valgrind --quiet --error-exitcode=9 --leak-check=no --suppressions=tests/valgrind.supp --log-file="$logs/%p" \
            "$python" -m pytest $options "$@" $tests \
            -k "not bound_values_give and not pixels_give and not floats_are_quantised and not integers_of" || status=$?
        ;;
    *)
        echo "usage: $0 address|valgrind|stress PYTHON [arguments]" >&2
        exit 2
        ;;
esac
find "$logs" -type f -exec cat {} +
exit $status
