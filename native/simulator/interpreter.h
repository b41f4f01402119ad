/* Which Python the device process runs in. */
#pragma once

#include <string>
#include <vector>

namespace ez_rknn::simulator {

/* The interpreters to try, in this order: the one that EZ_RKNN_PYTHON names, and only that; else the host's own, where
 * the host is a Python interpreter, then python3. */
std::vector<std::string> interpreters();

}  // namespace ez_rknn::simulator
