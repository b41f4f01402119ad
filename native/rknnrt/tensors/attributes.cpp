/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/tensors/attributes.h"

#include <algorithm>
#include <cstring>

namespace ez_rknn::rknnrt {

namespace {

void set_dims(rknn_tensor_attr &attr, const std::vector<uint32_t> &dims) {
    attr.n_dims = static_cast<uint32_t>(dims.size());
    std::copy(dims.begin(), dims.end(), attr.dims);
}

/* The dimensions of all inferences of one run. */
std::vector<uint32_t> batched(std::vector<uint32_t> dims, uint32_t batch) {
    if (!dims.empty()) dims[0] *= batch;
    return dims;
}

std::vector<uint32_t> nhwc(const TensorPort &port) {
    return {port.n * port.batch, port.h, port.w, port.c};
}

bool strided_type(const TensorPort &port) {
    return port.element_size <= 2;
}

/* Sizes with strides are 32-bit in the interface; a tensor near 2 GiB could exceed it with its padding. */
uint32_t saturated(uint64_t value) {
    return static_cast<uint32_t>(std::min<uint64_t>(value, UINT32_MAX));
}

/* The padded size of an input that is not 4-D: its second dimension is aligned as channels are, and the others, if
 * there are any, as a surface is. */
uint32_t padded_size(const TensorPort &port) {
    if (port.dims.size() < 2 || port.dims[1] == 0 || !strided_type(port)) return port.dense_bytes * port.batch;
    const uint64_t others = port.total_elements() / port.dims[1];
    const uint64_t surface = port.dims.size() == 2 ? others : aligned(others, surface_alignment);
    return saturated(aligned(port.dims[1], port.atom) * surface * port.element_size);
}

/* The size of an input that is no image, laid out as features that the NPU writes, which is not how it reads this one,
 * if it does. */
uint32_t rounded_feature_size(const TensorPort &port) {
    const uint64_t stored = port.storage == Storage::feature ? uint64_t{port.c1} * port.c2 : aligned(port.c, port.atom);
    const uint64_t channels = static_cast<uint64_t>(port.n) * port.batch * stored;
    const uint64_t surface = aligned(static_cast<uint64_t>(port.h) * port.w, surface_alignment);
    return saturated(channels * surface * port.element_size);
}

}  // namespace

rknn_tensor_attr logical_attr(const TensorPort &port, uint32_t index) {
    rknn_tensor_attr attr{};
    attr.index = index;
    const size_t length = std::min(port.name.size(), sizeof attr.name - 1);
    std::memcpy(attr.name, port.name.data(), length);
    set_dims(attr, batched(port.dims, port.batch));
    attr.n_elems = port.total_elements();
    attr.size = port.dense_bytes * port.batch;
    attr.size_with_stride = attr.size;
    attr.fmt = port.four_d() ? RKNN_TENSOR_NCHW : RKNN_TENSOR_UNDEFINED;
    attr.type = api_type(port.type);
    attr.qnt_type = RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC;
    attr.zp = port.zero_point;
    attr.scale = port.scale;
    return attr;
}

std::vector<uint32_t> api_input_dims(const TensorPort &port) {
    return port.api_is_nhwc() ? nhwc(port) : batched(port.dims, port.batch);
}

rknn_tensor_attr input_attr(const TensorPort &port, uint32_t index) {
    rknn_tensor_attr attr = logical_attr(port, index);
    if (!port.four_d()) {
        attr.size_with_stride = padded_size(port);
        return attr;
    }
    set_dims(attr, api_input_dims(port));
    if (!port.api_is_nhwc()) return attr;
    attr.fmt = RKNN_TENSOR_NHWC;
    attr.w_stride = port.storage == Storage::image ? port.w_stride : port.w;
    attr.size_with_stride =
        port.storage == Storage::image ? port.stored_bytes * port.batch : rounded_feature_size(port);
    return attr;
}

rknn_tensor_attr native_input_attr(const TensorPort &port, uint32_t index) {
    rknn_tensor_attr attr = input_attr(port, index);
    if (port.storage == Storage::image) return attr;
    if (port.storage == Storage::plain) {  // an operator on the CPU reads it
        set_dims(attr, batched(port.dims, port.batch));
        if (port.four_d()) attr.fmt = RKNN_TENSOR_NCHW;
        attr.size_with_stride = attr.size;
        return attr;
    }
    set_dims(attr, {port.n * port.batch, port.c1, port.h, port.w, port.c2});
    attr.fmt = RKNN_TENSOR_NC1HWC2;
    attr.n_elems = port.n * port.batch * port.c1 * port.h * port.w * port.c2;
    attr.size = attr.n_elems * port.element_size;
    attr.size_with_stride = attr.size;
    return attr;
}

rknn_tensor_attr output_attr(const TensorPort &port, uint32_t index) {
    rknn_tensor_attr attr = logical_attr(port, index);
    if (port.four_d() && strided_type(port)) {
        const uint64_t pixels = port.h * aligned(port.w, port.atom);
        attr.size_with_stride =
            saturated(port.n * port.batch * aligned(port.c, port.atom) * pixels * port.element_size);
    }
    return attr;
}

rknn_tensor_attr native_output_attr(const TensorPort &port, uint32_t index) {
    rknn_tensor_attr attr = logical_attr(port, index);
    if (port.storage != Storage::feature) return attr;
    const uint32_t n = port.n * port.batch;
    if (port.surface == port.h * port.w) {
        set_dims(attr, {n, port.c1, port.h, port.w, port.c2});
    } else {
        set_dims(attr, {n, port.c1, 1, port.surface, port.c2});
    }
    attr.fmt = RKNN_TENSOR_NC1HWC2;
    attr.n_elems = n * port.c1 * port.surface * port.c2;
    attr.size = attr.n_elems * port.element_size;
    attr.size_with_stride = attr.size;
    return attr;
}

rknn_tensor_attr native_nhwc_output_attr(const TensorPort &port, uint32_t index) {
    rknn_tensor_attr attr = logical_attr(port, index);
    if (port.four_d()) {
        set_dims(attr, nhwc(port));
        attr.fmt = RKNN_TENSOR_NHWC;
    }
    // The number of bytes is rounded to a row's alignment in elements: the vendor mixes up the units.
    if (strided_type(port)) attr.size_with_stride = saturated(aligned(attr.size, port.atom));
    return attr;
}

}  // namespace ez_rknn::rknnrt
