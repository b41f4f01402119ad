/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/log.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace ez_rknn::rknnrt {

namespace {

std::atomic<int> level{0};
std::atomic<const char *> device_name{""};

void write(char letter, const std::string &text) noexcept {
    // One call, so that lines of several threads do not mix.
    std::fprintf(stderr, "%c RKNN (%s): %s\n", letter, device_name.load(), text.c_str());
}

}  // namespace

void refresh_log(const char *device) noexcept {
    device_name = device;
    const char *value = std::getenv("RKNN_LOG_LEVEL");
    level.store(value == nullptr ? 0 : std::atoi(value), std::memory_order_relaxed);
}

void log_error(const std::string &text) noexcept {
    if (level.load(std::memory_order_relaxed) >= 1) write('E', text);
}

void log_warning(const std::string &text) noexcept {
    if (level.load(std::memory_order_relaxed) >= 1) write('W', text);
}

void log_info(const std::string &text) noexcept {
    if (level.load(std::memory_order_relaxed) >= 2) write('I', text);
}

}  // namespace ez_rknn::rknnrt
