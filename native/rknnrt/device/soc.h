/* SPDX-License-Identifier: Apache-2.0 */
/* The SoCs that a device can have. */
#pragma once

#include <cstdint>
#include <string>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt {

constexpr uint32_t max_cores = 3;

struct Soc {
    const char *name;
    const char *compiled_for; /* the target that the compiler writes into models for it */
    uint32_t cores;
    uint32_t atom_bytes; /* channels are stored in blocks of this many bytes, and image rows aligned to it */
    uint32_t sram_bytes; /* static memory available to the NPU; 0: none, or unknown */
};

/* NULL when there is no such SoC. */
const Soc *find_soc(const std::string &name);
/* "rk3588, rk3576, ..." */
std::string soc_names();

/* Fails with RKNN_ERR_PARAM_INVALID, naming the setting with the core, if the SoC has no such core. */
template <typename... Setting>
void check_core(const Soc &soc, uint32_t core, const Setting &...setting) {
    if (core < soc.cores) return;
    fail(RKNN_ERR_PARAM_INVALID, setting..., " names core ", core, ", but ", soc.name, " has ",
         soc.cores == 1 ? "only core 0" : text_of("cores 0 to ", soc.cores - 1));
}

}  // namespace ez_rknn::rknnrt
