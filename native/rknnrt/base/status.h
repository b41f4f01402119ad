/* SPDX-License-Identifier: Apache-2.0 */
/* Failures of calls into the runtime, and their messages.
 *
 * Inside, a failure is a StatusError: a code of the runtime's interface and a sentence. The functions of the interface
 * (abi/) turn it into the code; the sentence is kept for ez_rknn_last_error(). */
#pragma once

#include <exception>
#include <locale>
#include <sstream>
#include <string>
#include <utility>

namespace ez_rknn::rknnrt {

class StatusError : public std::exception {
  public:
    StatusError(int code, std::string text) : code_(code), text_(std::move(text)) {}
    int code() const noexcept { return code_; }
    const std::string &text() const noexcept { return text_; }
    const char *what() const noexcept override { return text_.c_str(); }

  private:
    int code_;
    std::string text_;
};

/* Concatenates the parts; numbers as in C, in any locale of the program. */
template <typename... Parts>
std::string text_of(const Parts &...parts) {
    std::ostringstream stream;
    stream.imbue(std::locale::classic());
    (stream << ... << parts);
    return stream.str();
}

template <typename... Parts>
[[noreturn]] void fail(int code, const Parts &...parts) {
    throw StatusError(code, text_of(parts...));
}

/* Sets the calling thread's message about its last failed call. */
void set_last_error(const std::string &text) noexcept;
const char *last_error() noexcept;

/* Logs the exception being handled, keeps its sentence and returns its code. Only inside a catch block. */
int report_current_exception(const char *call) noexcept;

}  // namespace ez_rknn::rknnrt
