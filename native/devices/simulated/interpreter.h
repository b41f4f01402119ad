/* SPDX-License-Identifier: Apache-2.0 */
/* The Python interpreter of the device process, and its command line. */
#pragma once

#include <string>
#include <vector>

namespace ez_rknn::rknnrt::simulated {

constexpr int control_fd_in_device = 3;
constexpr const char *how_to_choose_python =
    "set EZ_RKNN_PYTHON to the path of a Python interpreter that has ez-rknn-async, onnx and onnxruntime";

/* The command that starts the device process: the interpreter's path and its arguments. The interpreter is the one that
 * EZ_RKNN_PYTHON names; else, in a Python program, the program's own; else python3.
 *
 * Fails with RKNN_ERR_DEVICE_UNAVAILABLE rather than start anything that may not be a Python interpreter. In a program
 * that embeds Python, sys.executable and /proc/self/exe may be that program, which would load this library again, and
 * start itself again, without end. */
std::vector<std::string> device_command();

/* The program's environment, less what would change how Python works, with a mark: a program wrongly started as a
 * device process is refused a device process of its own. */
std::vector<std::string> device_environment();

/* Sets the command that starts a Python program's interpreter or, if `command` is empty, why it cannot be started. */
void set_host_python(std::vector<std::string> command, std::string why_not);

}  // namespace ez_rknn::rknnrt::simulated
