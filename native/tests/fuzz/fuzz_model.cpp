/* SPDX-License-Identifier: Apache-2.0 */
/* The libFuzzer target (make fuzz-native). */
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/exercise.h"
#include "tests/fuzz/mutate.h"

using namespace ez_rknn::tests;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz::exercise(data, size);
    return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed) {
    return fuzz::mutate(data, size, capacity, seed);
}
