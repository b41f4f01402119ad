/* The SoCs that the simulated NPU can be. */
#pragma once

#include <cstdint>
#include <string>

namespace ez_rknn::simulator {

constexpr uint32_t max_cores = 3;

struct Soc {
    const char *name;
    const char *compiled_for; /* the target that the compiler writes into models for it */
    uint32_t cores;
    uint32_t atom_bytes; /* channels are stored in blocks of this many bytes, and image rows aligned to it */
    uint32_t sram_bytes; /* static memory that the NPU can have; 0: none, or not known */
};

/* NULL when there is no such SoC. */
const Soc *find_soc(const std::string &name);
/* "rk3588, rk3576, ..." */
std::string soc_names();

}  // namespace ez_rknn::simulator
