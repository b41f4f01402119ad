/* Transposition of matrices: NCHW to NHWC and back. */
#include <cstring>

#include "ez_rknn_engine.h"

extern "C" __attribute__((visibility("default"))) int32_t ezr_transpose(const void *src, void *dst, size_t outer,
                                                                        size_t rows, size_t columns,
                                                                        uint32_t element_size) {
    if (element_size != 1 && element_size != 2 && element_size != 4 && element_size != 8) return EZR_INVALID;
    const auto *from = static_cast<const unsigned char *>(src);
    auto *to = static_cast<unsigned char *>(dst);
    for (size_t o = 0; o < outer; ++o, from += rows * columns * element_size, to += rows * columns * element_size) {
        for (size_t c = 0; c < columns; ++c) {
            for (size_t r = 0; r < rows; ++r) {
                std::memcpy(to + (c * rows + r) * element_size, from + (r * columns + c) * element_size, element_size);
            }
        }
    }
    return EZR_OK;
}
