/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/device_process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "devices/simulated/interpreter.h"
#include "rknn_abi.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/base/log.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr uint32_t greeting_magic = 0x5A455A45;
constexpr uint32_t protocol = 3;
constexpr int greeting_timeout_ms = 60000; /* a cold import of a Python package on a slow disk */
constexpr int exit_timeout_ms = 2000;
constexpr size_t most_last_words = 2000;

void add_counts(Request &request, const OperatorPlacement &placement) {
    request.u32(static_cast<uint32_t>(placement.inputs.size())).u32(static_cast<uint32_t>(placement.outputs.size()));
}

void add_places(Request &request, const OperatorPlacement &placement) {
    for (const auto *places : {&placement.inputs, &placement.outputs}) {
        for (const TensorPlace &place : *places) request.u64(place.offset).u64(place.size);
    }
}

}  // namespace

DeviceProcess::DeviceProcess() : errors_(FileDescriptor::memory("ez_rknn_device_stderr", 0)) {
    const std::vector<std::string> command = device_command();
    auto [near, far] = DeviceSocket::pair();
    control_ = std::move(near);
    process_ = std::make_unique<KeptProcess>(command, device_environment(),
                                             KeptProcess::Descriptors{errors_.get(), far.get()});
    far.close();  // so that the connection breaks when the process exits
    const auto greeting = control_.receive(greeting_timeout_ms);
    if (!greeting) {
        const bool silent = control_.connected();
        stop();
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process (", command[0], ") ",
             silent ? text_of("said nothing for ", greeting_timeout_ms / 1000, " s")
                    : process_->ending() + " before it was ready",
             last_words(), "\n", how_to_choose_python);
    }
    check_greeting(Bytes(greeting->data(), greeting->size()), command[0]);
    log_info(text_of("device process ", process_->pid(), " started: ", command[0]));
}

void DeviceProcess::check_greeting(const Bytes &greeting, const std::string &interpreter) {
    if (greeting.size() >= 8 && greeting.u32(0, "greeting") == greeting_magic) {
        if (greeting.u32(4, "greeting") == protocol) return;
        stop();
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process speaks another protocol: ", interpreter,
             " has another version of ez_rknn_async");
    }
    stop();
    // Instead of a greeting, a reply that says why there is none.
    if (greeting.size() > sizeof(int32_t) && greeting.i32(0, "greeting") < 0) {
        const size_t size = greeting.size() - sizeof(int32_t);
        const auto *text = reinterpret_cast<const char *>(greeting.at(sizeof(int32_t), size, "greeting"));
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process (", interpreter,
             ") cannot start: ", std::string(text, size));
    }
    fail(RKNN_ERR_DEVICE_UNAVAILABLE, interpreter,
         " is not a Python with ez_rknn_async: it answers with something else; ", how_to_choose_python);
}

DeviceProcess::~DeviceProcess() {
    stop();
}

bool DeviceProcess::alive() const {
    return !lost_ && control_.connected();
}

void DeviceProcess::control_request(const Request &request) {
    std::optional<Reply> reply;
    {
        const Lock lock(control_mutex_);
        reply = control_.request(request);
    }
    if (!reply) fail_as_lost();
    if (reply->status != RKNN_SUCC) fail(reply->status, reply->text);
}

void DeviceProcess::load(uint32_t model, uint32_t master, const FileDescriptor &file) {
    control_request(Request(Opcode::load).u32(model).u32(master).descriptor(file.get()));
}

DeviceSocket DeviceProcess::attach(uint32_t model, const std::vector<GraphPlacement> &graphs,
                                   const FileDescriptor &memory) {
    auto [near, far] = DeviceSocket::pair();
    Request request(Opcode::attach);
    request.u32(model).u32(static_cast<uint32_t>(graphs.size()));
    for (const GraphPlacement &graph : graphs) {
        add_counts(request, graph);
        request.u32(static_cast<uint32_t>(graph.custom_operators.size()));
        add_places(request, graph);
        for (const OperatorPlacement &custom_operator : graph.custom_operators) {
            add_counts(request, custom_operator);
            add_places(request, custom_operator);
        }
    }
    control_request(request.descriptor(far.get()).descriptor(memory.get()));
    return std::move(near);
}

void DeviceProcess::unload(uint32_t model) noexcept {
    try {
        control_request(Request(Opcode::unload).u32(model));
    } catch (const std::exception &error) {
        log_warning(text_of("unloading a model: ", error.what()));
    }
}

void DeviceProcess::fail_as_lost() {
    lost_ = true;
    stop();
    fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process (pid ", process_->pid(), ") ", process_->ending(),
         "; create the context again to start a new one", last_words());
}

void DeviceProcess::lose() noexcept {
    lost_ = true;
    end(0);
}

void DeviceProcess::stop() noexcept {
    end(exit_timeout_ms);
}

void DeviceProcess::end(int grace_ms) noexcept {
    const Lock lock(ending_mutex_);
    if (grace_ms != 0) control_.disconnect();  // it exits by itself when its connections break
    if (process_ != nullptr) process_->end(grace_ms);
    control_.disconnect();
}

std::string DeviceProcess::last_words() const {
    struct stat file{};
    if (fstat(errors_.get(), &file) != 0 || file.st_size == 0) return "";
    const size_t length = std::min<size_t>(static_cast<size_t>(file.st_size), most_last_words);
    std::string words(length, '\0');
    const ssize_t got = pread(errors_.get(), words.data(), length, file.st_size - static_cast<off_t>(length));
    words.resize(got < 0 ? 0 : static_cast<size_t>(got));
    words.erase(words.find_last_not_of('\n') + 1);
    return "; its last words:\n" + words;
}

}  // namespace ez_rknn::rknnrt::simulated
