/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/simulator/support.h"

#include <dirent.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "ez_rknn_simulator.h"

namespace ez_rknn::tests {

std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

std::vector<std::string> files_in(const std::string &directory, const std::string &prefix, const std::string &suffix) {
    std::vector<std::string> names;
    DIR *listing = opendir(directory.c_str());
    if (listing == nullptr) throw std::runtime_error("cannot list " + directory);
    while (const dirent *entry = readdir(listing)) {
        const std::string name = entry->d_name;
        if (name.size() < prefix.size() + suffix.size() || name.compare(0, prefix.size(), prefix) != 0) continue;
        if (name.compare(name.size() - suffix.size(), suffix.size(), suffix) == 0) names.push_back(name);
    }
    closedir(listing);
    std::sort(names.begin(), names.end());
    return names;
}

std::string model_path(const std::string &name) {
    return std::string(EZ_RKNN_TEST_DATA) + "/" + name + ".rknn";
}

std::string shared_directory() {
    const std::string path = EZ_RKNN_SHARED;
    if (std::ifstream(path + "/golden/misuse.json")) return path;
    std::printf("skipped: the recordings (%s/golden) are not on this machine\n", EZ_RKNN_SHARED);
    return "";
}

TestContext::TestContext(const std::string &path, const std::string &settings, uint32_t flags,
                         rknn_init_extend *extend) {
    ez_rknn_simulator_configure(settings.c_str());
    std::string copy = path;
    code = rknn_init(&handle, copy.data(), 0, flags, extend);
}

TestContext::~TestContext() {
    if (handle != 0) rknn_destroy(handle);
}

rknn_input pixels(std::vector<uint8_t> &data) {
    rknn_input input{};
    input.buf = data.data();
    input.size = static_cast<uint32_t>(data.size());
    input.type = RKNN_TENSOR_UINT8;
    input.fmt = RKNN_TENSOR_NHWC;
    return input;
}

rknn_output floats(std::vector<float> &data) {
    rknn_output output{};
    output.want_float = 1;
    output.is_prealloc = 1;
    output.buf = data.data();
    output.size = static_cast<uint32_t>(data.size() * sizeof(float));
    return output;
}

rknn_tensor_attr attribute(rknn_context context, rknn_query_cmd command, uint32_t index) {
    rknn_tensor_attr attr{};
    attr.index = index;
    if (rknn_query(context, command, &attr, sizeof attr) != RKNN_SUCC) {
        throw std::runtime_error(std::string("rknn_query: ") + ez_rknn_last_error());
    }
    return attr;
}

}  // namespace ez_rknn::tests
