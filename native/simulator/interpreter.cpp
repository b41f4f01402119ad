#include "interpreter.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdlib>
#include <cwchar>

namespace ez_rknn::simulator {

namespace {

std::string utf8(const wchar_t *text) {
    std::string result;
    for (; *text != L'\0'; ++text) {
        const auto code = static_cast<uint32_t>(*text);
        if (code < 0x80) {
            result += static_cast<char>(code);
            continue;
        }
        if (code >= 0xDC80 && code <= 0xDCFF) {  // how Python carries a byte that is not UTF-8
            result += static_cast<char>(code - 0xDC00);
            continue;
        }
        const int following = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        result += static_cast<char>((0xFF00U >> (following + 1) & 0xFFU) | code >> (6 * following));
        for (int i = following - 1; i >= 0; --i) result += static_cast<char>(0x80U | (code >> (6 * i) & 0x3FU));
    }
    return result;
}

/* What sys.executable is in a Python host; "" in any other. /proc/self/exe would not do: a virtual environment's
 * interpreter is a link, and only the name by which it was called leads to the environment's packages. */
std::string host_interpreter() {
    using GetPath = wchar_t *(*)();
    const auto get_path = reinterpret_cast<GetPath>(dlsym(RTLD_DEFAULT, "Py_GetProgramFullPath"));
    const wchar_t *path = get_path == nullptr ? nullptr : get_path();
    return path == nullptr ? "" : utf8(path);
}

}  // namespace

std::vector<std::string> interpreters() {
    const char *chosen = std::getenv("EZ_RKNN_PYTHON");
    if (chosen != nullptr && *chosen != '\0') return {chosen};
    std::vector<std::string> names;
    const std::string host = host_interpreter();
    if (!host.empty()) names.push_back(host);
    names.emplace_back("python3");
    return names;
}

}  // namespace ez_rknn::simulator
