/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/flatbuffer.h"

#include <cstring>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

Table::Table(const Bytes &buffer, uint64_t position) : buffer_(buffer), position_(position) {
    vtable_ = position - static_cast<uint64_t>(int64_t{buffer.i32(position, "table")});
    const uint16_t size = buffer.u16(vtable_, "vtable");
    buffer.at(vtable_, size, "vtable");
    field_count_ = size < 4 ? 0 : (size - 4U) / 2U;
}

uint64_t Table::slot(uint32_t field) const {
    if (field >= field_count_) return 0;
    const uint16_t offset = buffer_.u16(vtable_ + 4 + 2ULL * field, "vtable entry");
    return offset == 0 ? 0 : position_ + offset;
}

uint64_t Table::target(uint64_t position) const {
    return position + buffer_.u32(position, "offset");
}

uint32_t Table::vector(uint32_t field, uint32_t size, uint64_t &first) const {
    const uint64_t position = slot(field);
    if (position == 0) return 0;
    const uint64_t start = target(position);
    const uint32_t count = buffer_.u32(start, "vector length");
    first = start + 4;
    buffer_.at(first, static_cast<uint64_t>(count) * size, "vector");
    return count;
}

uint8_t Table::u8(uint32_t field) const {
    const uint64_t position = slot(field);
    return position == 0 ? 0 : buffer_.u8(position, "byte field");
}

int32_t Table::i32(uint32_t field) const {
    const uint64_t position = slot(field);
    return position == 0 ? 0 : buffer_.i32(position, "integer field");
}

uint64_t Table::u64(uint32_t field) const {
    const uint64_t position = slot(field);
    return position == 0 ? 0 : buffer_.u64(position, "long field");
}

std::string Table::string(uint32_t field) const {
    uint64_t first = 0;
    const uint32_t count = vector(field, 1, first);
    return std::string(reinterpret_cast<const char *>(buffer_.at(first, count, "string")), count);
}

std::vector<uint32_t> Table::words(uint32_t field) const {
    uint64_t first = 0;
    const uint32_t count = vector(field, 4, first);
    std::vector<uint32_t> values(count);
    for (uint32_t i = 0; i < count; ++i) values[i] = buffer_.u32(first + 4ULL * i, "vector element");
    return values;
}

std::vector<int32_t> Table::ints(uint32_t field) const {
    const std::vector<uint32_t> values = words(field);
    return std::vector<int32_t>(values.begin(), values.end());
}

std::vector<float> Table::floats(uint32_t field) const {
    const std::vector<uint32_t> values = words(field);
    std::vector<float> result(values.size());
    if (!values.empty()) std::memcpy(result.data(), values.data(), values.size() * sizeof(float));
    return result;
}

std::vector<Table> Table::tables(uint32_t field) const {
    uint64_t first = 0;
    const uint32_t count = vector(field, 4, first);
    std::vector<Table> result;
    result.reserve(count);
    for (uint32_t i = 0; i < count; ++i) result.push_back(Table(buffer_, target(first + 4ULL * i)));
    return result;
}

Bytes Table::bytes(uint32_t field) const {
    uint64_t first = 0;
    const uint32_t count = vector(field, 1, first);
    return buffer_.slice(first, count, "bytes");
}

uint32_t Table::count(uint32_t field, uint32_t size) const {
    uint64_t first = 0;
    return vector(field, size, first);
}

}  // namespace ez_rknn::rknnrt
