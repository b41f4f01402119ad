/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/file/container.h"

#include <cstring>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/file/literal.h"
#include "rknnrt/file/other_formats.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr uint64_t header_size = 64;
constexpr uint64_t container_version = 6;
constexpr uint8_t magic[8] = {'R', 'K', 'N', 'N', 0, 0, 0, 0};

void check_version(const Bytes &file) {
    const uint64_t version = file.u64(8, "container version");
    refuse_other_formats(file, version, container_version);
    if (version > container_version) {
        fail(RKNN_ERR_MODEL_INVALID, "container version ", version, " is too new, or damaged: ", container_version,
             " can be read");
    }
}

void check_summary(const Bytes &file, uint64_t begin) {
    const uint64_t length = file.u64(begin, "length of the JSON summary");
    const Literal summary = read_literal(file.slice(begin + 8, length, "JSON summary"));
    if (summary.kind != Literal::Kind::dict) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: the summary at offset ", begin + 8, " is no JSON object");
    }
}

}  // namespace

Bytes open_container(const Bytes &file) {
    if (file.size() <= header_size) fail(RKNN_ERR_MODEL_INVALID, "rknn model is too small: ", file.size(), " bytes");
    if (std::memcmp(file.at(0, sizeof magic, "magic"), magic, sizeof magic) != 0) {
        fail(RKNN_ERR_MODEL_INVALID, "invalid RKNN_MAGIC: this is not an RKNPU2 .rknn file, or it is encrypted");
    }
    check_version(file);
    const uint64_t length = file.u64(16, "FlatBuffer length");
    const Bytes buffer = file.slice(header_size, length, "FlatBuffer");
    if (std::memcmp(buffer.at(4, 4, "mark of the FlatBuffer"), magic, 4) != 0) {
        fail(RKNN_ERR_MODEL_INVALID, "damaged model: the FlatBuffer is not marked 'RKNN', at offset ",
             buffer.origin() + 4);
    }
    check_summary(file, header_size + length);
    return buffer;
}

}  // namespace ez_rknn::rknnrt
