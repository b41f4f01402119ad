/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/device/soc.h"

namespace ez_rknn::rknnrt {

namespace {

constexpr uint32_t rk3588_sram_bytes = 956 * 1024; /* of its 1 MiB; the firmware has the rest */

constexpr Soc socs[] = {
    {"rk3588", "rk3588", 3, 16, rk3588_sram_bytes},
    {"rk3576", "rk3576", 2, 16, 0},
    {"rk3566", "rk3566", 1, 8, 0},
    {"rk3568", "rk3566", 1, 8, 0},
    {"rk3562", "rk3562", 1, 16, 0},
    {"rv1126b", "rv1126b", 1, 16, 0},
};

}  // namespace

const Soc *find_soc(const std::string &name) {
    for (const Soc &soc : socs) {
        if (name == soc.name) return &soc;
    }
    return nullptr;
}

std::string soc_names() {
    std::string names;
    for (const Soc &soc : socs) names += (names.empty() ? "" : ", ") + std::string(soc.name);
    return names;
}

}  // namespace ez_rknn::rknnrt
