/* SPDX-License-Identifier: Apache-2.0 */
/* An input or output of a model: its description in the interface, and its storage in the NPU. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rknn_abi.h"
#include "rknnrt/base/sizes.h"
#include "rknnrt/device/soc.h"
#include "rknnrt/file/model_file.h"

namespace ez_rknn::rknnrt {

/* The NPU's storage of a tensor in memory. */
enum class Storage {
    image,   /* NHWC with rows of w_stride pixels: inputs of up to four channels */
    feature, /* NC1HWC2: channels in c1 blocks of c2, each block a surface of `surface` pixels */
    plain    /* in the model's own order, without gaps */
};

struct TensorPort {
    std::string name;
    DataType type = DataType::opaque;
    uint32_t element_size = 0;
    float scale = 1.0F;
    int32_t zero_point = 0;
    Normalisation normalisation; /* inputs only */

    std::vector<uint32_t> dims; /* one inference, in ONNX order */
    uint32_t batch = 1;         /* inferences in one rknn_run */
    uint32_t elements = 0;      /* of one inference */
    uint32_t dense_bytes = 0;   /* of one inference, without gaps */

    Storage storage = Storage::plain;
    uint32_t stored_bytes = 0; /* of one inference, as stored */

    /* Of 4-D tensors; 0 otherwise. */
    uint32_t n = 0, c = 0, h = 0, w = 0;
    uint32_t w_stride = 0;   /* image: pixels from one row to the next */
    bool fills_rows = false; /* image: the NPU fills the ends of rows before it reads bound memory */
    uint32_t c1 = 0, c2 = 0; /* feature: blocks of channels, channels in a block */
    uint32_t surface = 0;    /* feature: pixels from one block to the next */
    uint32_t atom = 0;       /* elements that rows and channels are aligned to */

    bool four_d() const { return dims.size() == 4; }
    /* True if the interface describes it as NHWC; integers beyond 16 bits are indices, not images. */
    bool api_is_nhwc() const { return four_d() && element_size <= 2; }
    bool quantised() const { return is_quantised_type(type); }
    uint32_t total_elements() const { return elements * batch; }

    /* Rows of pixels of all inferences. */
    size_t total_rows() const { return static_cast<size_t>(n) * batch * h; }
    size_t pixels() const { return static_cast<size_t>(h) * w; }
    /* The index among the stored elements of a feature. */
    size_t feature_index(size_t image, size_t channel, size_t pixel) const {
        return ((image * c1 + channel / c2) * surface + pixel) * c2 + channel % c2;
    }
};

/* Makes the ports of one graph, in order. */
std::vector<TensorPort> make_input_ports(const Graph &graph, uint32_t batch, const Soc &soc);
std::vector<TensorPort> make_output_ports(const Graph &graph, uint32_t batch, const Soc &soc);
TensorPort make_input_port(const Graph &graph, size_t index, uint32_t batch, const Soc &soc);
TensorPort make_output_port(const Graph &graph, size_t index, uint32_t batch, const Soc &soc);
/* Describes a tensor as a custom operator sees it: dense, in ONNX order, float32 unless it holds integers or truth
 * values. */
TensorPort make_operand_port(const Graph &graph, uint32_t tensor_index);

/* Fails: elements of its type cannot be converted. Never reached, as the file reader refuses such a tensor; converting
 * one would write elements of another size than the buffer was made for. */
[[noreturn]] void fail_as_unconvertible(const TensorPort &port);

/* Calls visit(an unsigned integer of the size of the port's elements). */
template <typename Visit>
void with_element(const TensorPort &port, Visit visit) {
    switch (port.element_size) {
        case 1:
            return visit(uint8_t{});
        case 2:
            return visit(uint16_t{});
        case 4:
            return visit(uint32_t{});
        case 8:
            return visit(uint64_t{});
        default:
            fail_as_unconvertible(port);
    }
}

rknn_tensor_type api_type(DataType type);
/* The size in bytes of an element of a rknn_tensor_type; 0 for one that rknn_inputs_set does not take, and for any
 * other number. */
uint32_t input_element_size(int32_t type);

}  // namespace ez_rknn::rknnrt
