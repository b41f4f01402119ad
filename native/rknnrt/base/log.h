/* Messages in the manner of the vendor's library, on stderr, as far as RKNN_LOG_LEVEL asks for them.
 *
 * Without RKNN_LOG_LEVEL nothing is ever printed: a library that prints by itself cannot be used in a program that
 * owns its terminal. 1: errors and warnings. 2 and more: information too. */
#pragma once

#include <string>

namespace ez_rknn::rknnrt {

void log_error(const std::string &text) noexcept;
void log_warning(const std::string &text) noexcept;
void log_info(const std::string &text) noexcept;

/* Reads RKNN_LOG_LEVEL again; called by rknn_init. `device` is named in every message; it is not copied. */
void refresh_log(const char *device) noexcept;

}  // namespace ez_rknn::rknnrt
