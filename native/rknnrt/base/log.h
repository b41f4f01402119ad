/* SPDX-License-Identifier: Apache-2.0 */
/* Messages on stderr in the format of the vendor's library, as RKNN_LOG_LEVEL sets.
 *
 * Without RKNN_LOG_LEVEL nothing is ever printed: a library that prints by itself cannot be used in a program that
 * owns its terminal. 1: errors and warnings. 2 and more: information too. */
#pragma once

#include <string>

namespace ez_rknn::rknnrt {

void log_error(const std::string &text) noexcept;
void log_warning(const std::string &text) noexcept;
void log_info(const std::string &text) noexcept;

/* Reads RKNN_LOG_LEVEL again; called by rknn_init. `device`, which is not copied, is named in every message. */
void refresh_log(const char *device) noexcept;

}  // namespace ez_rknn::rknnrt
