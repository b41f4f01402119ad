/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/interpreter.h"

#include <dlfcn.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <memory>
#include <string_view>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

extern char **environ;

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr const char *mark = "EZ_RKNN_DEVICE_PROCESS";
constexpr const char *module = "ez_rknn_async.simulator";
constexpr const char *own_program = "/proc/self/exe";

/* The code that the device process runs if this library is not inside the package: it starts the installed one.
 * Isolated mode leaves out the user's own packages, which are as installed as the others. */
constexpr const char *start_installed_package =
    "import os, site, sys; "
    "sys.base_prefix in site.PREFIXES and not os.environ.get('PYTHONNOUSERSITE') "
    "and site.addsitedir(site.getusersitepackages()); "
    "from ez_rknn_async.simulator.start import main; main()";

struct HostPython {
    std::vector<std::string> command;
    std::string why_not;
};
/* The latest; earlier ones are never freed, as another thread may be reading them. */
std::atomic<const HostPython *> host_python{nullptr};

[[noreturn]] void refuse(const std::string &reason) {
    fail(RKNN_ERR_DEVICE_UNAVAILABLE, reason, "; ", how_to_choose_python);
}

std::string real_path(const char *path) {
    std::array<char, PATH_MAX> resolved{};
    return realpath(path, resolved.data()) == nullptr ? "" : resolved.data();
}

bool is_file(const std::string &path) {
    return access(path.c_str(), R_OK) == 0;
}

/* start.py of the package that contains this library; "" if none does. */
std::string script_beside_library() {
    Dl_info library{};
    if (dladdr(reinterpret_cast<const void *>(&script_beside_library), &library) == 0) return "";
    std::string folder = real_path(library.dli_fname);
    for (int level = 0; level < 3; ++level) folder.erase(std::min(folder.rfind('/'), folder.size()));
    const std::string script = folder + "/simulator/start.py";
    return is_file(folder + "/__init__.py") && is_file(script) ? script : "";
}

/* Uses the packages that this interpreter has, since nothing is known about it. */
std::vector<std::string> command_of(const std::string &interpreter) {
    std::vector<std::string> words = {interpreter, "-I", "-X", "utf8"};
    if (const std::string script = script_beside_library(); !script.empty()) {
        words.insert(words.end(), {script, "--own-sites"});
    } else {
        words.insert(words.end(), {"-c", start_installed_package});
    }
    words.emplace_back(module);
    return words;
}

std::string absolute(const std::string &path) {
    std::array<char, PATH_MAX> folder{};
    if (path[0] == '/' || getcwd(folder.data(), folder.size()) == nullptr) return path;
    return std::string(folder.data()) + "/" + path;
}

/* The path of that program on PATH; "" if there is none. Skips relative entries: they would be in the working
 * directory. */
std::string on_path(const std::string &name) {
    const char *variable = std::getenv("PATH");
    std::string_view folders = variable == nullptr ? "/usr/local/bin:/usr/bin:/bin" : variable;
    while (!folders.empty()) {
        const std::string_view folder = folders.substr(0, folders.find(':'));
        folders.remove_prefix(std::min(folder.size() + 1, folders.size()));
        const std::string path = std::string(folder) + "/" + name;
        if (path[0] == '/' && !folder.empty() && access(path.c_str(), X_OK) == 0) return path;
    }
    return "";
}

std::string chosen_interpreter(const std::string &name) {
    if (name.find('/') != std::string::npos) return absolute(name);
    const std::string path = on_path(name);
    if (path.empty()) fail(RKNN_ERR_DEVICE_UNAVAILABLE, "EZ_RKNN_PYTHON names '", name, "', which is not on PATH");
    return path;
}

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

int is_libpython(dl_phdr_info *info, size_t, void *) {
    const char *slash = std::strrchr(info->dlpi_name, '/');
    const std::string_view name = slash == nullptr ? info->dlpi_name : slash + 1;
    return name.substr(0, 9) == "libpython" || name.substr(0, 7) == "libpypy" ? 1 : 0;
}

/* Takes `what` off the front of `name`. */
bool skip(std::string_view &name, std::string_view what) {
    const bool there = name.substr(0, what.size()) == what;
    if (there) name.remove_prefix(what.size());
    return there;
}

void skip_all(std::string_view &name, const char *characters) {
    name.remove_prefix(std::min(name.find_first_not_of(characters), name.size()));
}

/* True if a program of that name is an interpreter: python3.11, python3-dbg, python3.13t, pypy3.9-c ...
 * (_runtime/host_python.py has the same rule.) */
bool is_interpreter(const std::string &path) {
    std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
    if (!skip(name, "python") && !skip(name, "pypy") && !skip(name, "graalpy")) return false;
    skip_all(name, "0123456789.");
    skip_all(name, "dmtu");
    return name.empty() || name == "-dbg" || name == "-nogil" || name == "-c";
}

/* The program's own interpreter, as far as can be seen; "" in a program that is not in Python. Its path is the one that
 * it was started by: in a virtual environment a link, and only that leads to the environment's packages. */
std::string interpreter_of_program() {
    using GetPath = wchar_t *(*)();
    const auto get_path = reinterpret_cast<GetPath>(dlsym(RTLD_DEFAULT, "Py_GetProgramFullPath"));
    if (get_path == nullptr && dl_iterate_phdr(is_libpython, nullptr) == 0) return "";
    const std::string program = real_path(own_program);
    const wchar_t *path = get_path == nullptr ? nullptr : get_path();
    const std::string interpreter = path == nullptr ? "" : utf8(path);
    if (!is_interpreter(program) || real_path(interpreter.c_str()) != program) {
        refuse(text_of("this program, ", program, ", has a Python inside of it, and is no Python interpreter"));
    }
    return interpreter;
}

std::string python3() {
    const std::string path = on_path("python3");
    if (path.empty()) refuse("there is no python3 on PATH");
    if (real_path(path.c_str()) == real_path(own_program)) refuse("python3 is this program itself");
    return path;
}

bool changes_python(std::string_view variable) {
    // Isolated mode ignores all but PYTHONHOME: a Python that needs it is started in another mode
    // (_runtime/host_python.py).
    return skip(variable, "PYTHON") && !skip(variable, "HOME=") && !skip(variable, "NOUSERSITE=");
}

/* PyInstaller puts a program's own libraries first for all that it starts, and saves the value from before. */
constexpr const char *libraries = "LD_LIBRARY_PATH=";
constexpr const char *libraries_before = "LD_LIBRARY_PATH_ORIG";

bool has_libraries_of_bundle() {
    return std::getenv("_PYI_ARCHIVE_FILE") != nullptr || std::getenv(libraries_before) != nullptr;
}

}  // namespace

std::vector<std::string> device_command() {
    if (std::getenv(mark) != nullptr) {
        refuse(text_of("this program, ", real_path(own_program),
                       ", was started to be the device process of another one, and needs a device process itself"));
    }
    std::vector<std::string> command;
    const char *chosen = std::getenv("EZ_RKNN_PYTHON");
    const HostPython *told = host_python.load();
    if (chosen != nullptr && *chosen != '\0') {
        command = command_of(chosen_interpreter(chosen));
    } else if (told != nullptr) {
        if (told->command.empty()) refuse(told->why_not);
        command = told->command;
    } else {
        const std::string own = interpreter_of_program();
        command = command_of(own.empty() ? python3() : own);
    }
    command.insert(command.end(), {"--control-fd", std::to_string(control_fd_in_device)});
    return command;
}

std::vector<std::string> device_environment() {
    std::vector<std::string> variables;
    const bool bundled = has_libraries_of_bundle();
    for (char **variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        std::string_view name = *variable;
        if (!changes_python(name) && !(bundled && skip(name, libraries))) variables.emplace_back(*variable);
    }
    if (const char *before = std::getenv(libraries_before)) variables.push_back(libraries + std::string(before));
    variables.push_back(text_of(mark, "=", getpid()));
    return variables;
}

void set_host_python(std::vector<std::string> command, std::string why_not) {
    host_python = std::make_unique<HostPython>(HostPython{std::move(command), std::move(why_not)}).release();
}

}  // namespace ez_rknn::rknnrt::simulated
