#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Check native/ statically with clang: all warnings, and accesses to data without the lock that guards it
# (native/common/mutex.h). The first file with a finding fails the run.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
"$root/tools/need.sh" clang++=clang
cd "$root"

check() {
    # The build tells tests the paths of their data; here any path will do.
    clang++ -std=c++17 -fsyntax-only -Wall -Wextra -Wswitch-enum -Wthread-safety -Werror -Inative -Inative/include \
        -DEZ_RKNN_TEST_DATA='""' -DEZ_RKNN_SHARED='""' -DEZ_RKNN_FAKE_DEVICE_PATH='""' -DEZ_RKNN_REGRESSIONS='""' \
        -DEZ_RKNN_TEST_MEMORY_MB=1 -DEZ_RKNN_THOROUGHNESS=1 "$@"
}
if [ $# -gt 0 ]; then
    check "$@"
    exit
fi
find native -name '*.cpp' ! -name '*_avx2.cpp' | sort | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 1 "$root/tools/lint-native.sh"
case $(uname -m) in
    x86_64) check -mavx2 -mfma -mf16c native/kernels/elements_avx2.cpp ;;
esac
echo "native/: clang has no warnings"
