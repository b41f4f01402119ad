/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/base/status.h"

#include <new>

#include "rknn_abi.h"
#include "rknnrt/base/log.h"

namespace ez_rknn::rknnrt {

namespace {
thread_local std::string thread_error;
}

void set_last_error(const std::string &text) noexcept {
    try {
        thread_error = text;
    } catch (const std::bad_alloc &) {
        thread_error.clear();
    }
}

const char *last_error() noexcept {
    return thread_error.c_str();
}

int report_current_exception(const char *call) noexcept {
    int code = RKNN_ERR_FAIL;
    try {
        try {
            throw;
        } catch (const StatusError &error) {
            code = error.code();
            set_last_error(error.text());
        } catch (const std::bad_alloc &) {
            code = RKNN_ERR_MALLOC_FAIL;
            set_last_error("out of memory");
        } catch (const std::exception &error) {
            set_last_error(error.what());
        }
        log_error(text_of(call, ": ", last_error()));
    } catch (...) {
        // Not even the message could be made: the code must suffice.
    }
    return code;
}

}  // namespace ez_rknn::rknnrt
