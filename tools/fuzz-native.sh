#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz the C++ reader of model files and all uses of its results: tools/fuzz-native.sh [SECONDS]
# It starts from the small models of tests/data and the corpus of earlier runs in build/fuzz-native/corpus. Exits with
# the fuzzer's status: 0 if nothing was found in that time. Findings are in build/fuzz-native/found.
set -eu

seconds=${1:-600}
largest=40k # of the initial models: larger ones have more of the same

root=$(cd "$(dirname "$0")/.." && pwd)
"$root/tools/need.sh" clang++=clang cmake=cmake
build=$root/build/fuzz-native
if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const char *, unsigned long) { return 0; }' |
    clang++ -fsanitize=fuzzer,address -x c++ - -o /dev/null 2> /dev/null; then
    echo "clang has no libFuzzer on this machine; on Debian or Ubuntu: apt-get install libclang-rt-dev (or libclang-rt-14-dev)" >&2
    exit 1
fi

cmake -S "$root" -B "$build" -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Release \
    -DEZ_RKNN_BUILD_TESTS=ON -DEZ_RKNN_WARNINGS_ARE_ERRORS=ON -DEZ_RKNN_FUZZ=ON -DEZ_RKNN_SANITIZER=fuzzer-no-link,address,undefined > /dev/null
cmake --build "$build" --parallel "$(getconf _NPROCESSORS_ONLN)" --target fuzz_model
mkdir -p "$build/corpus" "$build/seeds" "$build/found"
find "$root/tests/data" "$root/native/tests/fuzz/regressions" -name '*.rknn' -size -$largest -exec cp {} "$build/seeds" \;

cd "$build"
# A file is refused or opened within 5 s and 500 MB; the sanitizers need memory of their own.
exec nice "$build/native/tests/fuzz/fuzz_model" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 -malloc_limit_mb=500 \
    -max_len=65536 -len_control=0 -reload=0 -print_final_stats=1 -artifact_prefix="$build/found/" corpus seeds
