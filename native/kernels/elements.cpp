#include "elements.h"

#include <algorithm>

#include "layout.h"

namespace ezr {
namespace {

/* The conversion of at most kStage elements: to float32 (unless it is that already), by the rule, to the destination's
 * type. What is in between stays in the first-level cache. */
void convert_stage(uint32_t rule, rknn_tensor_type from_type, const char *from, rknn_tensor_type to_type, char *to,
                   size_t count, const Factors &factors) {
    float widened[kStage];
    auto *numbers = reinterpret_cast<const Unaligned<float> *>(from);
    if (from_type != RKNN_TENSOR_FLOAT32) {
        widen(from_type, from, widened, count);
        numbers = widened;
    }
    if (to_type == RKNN_TENSOR_FLOAT32) {
        scale_floats(rule, numbers, reinterpret_cast<Unaligned<float> *>(to), count, factors);
    } else if (to_type == RKNN_TENSOR_FLOAT16) {
        float scaled[kStage];
        scale_floats(rule, numbers, scaled, count, factors);
        narrow_to_half(scaled, to, count);
    } else {
        int32_t quantised[kStage];
        quantise(rule, numbers, quantised, count, factors, range_of(to_type));
        narrow(quantised, to_type, to, count);
    }
}

}  // namespace

void convert_elements(uint32_t rule, rknn_tensor_type from_type, const void *from, rknn_tensor_type to_type, void *to,
                      size_t count, const Factors &factors) {
    const size_t from_size = element_size(from_type), to_size = element_size(to_type);
    Factors here = factors;
    for (size_t done = 0; done < count; done += kStage) {
        convert_stage(rule, from_type, static_cast<const char *>(from) + done * from_size, to_type,
                      static_cast<char *>(to) + done * to_size, std::min(kStage, count - done), here);
        if (here.each) here = {here.a + kStage, here.b + kStage, true};
    }
}

}  // namespace ezr
