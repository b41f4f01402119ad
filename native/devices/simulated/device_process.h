/* SPDX-License-Identifier: Apache-2.0 */
/* One running device process: its start, its connections and its end. */
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "devices/simulated/device_socket.h"
#include "devices/simulated/keeper.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/base/file_descriptor.h"

namespace ez_rknn::rknnrt::simulated {

/* A tensor's place in the shared memory. */
struct TensorPlace {
    uint64_t offset;
    uint64_t size;
};
struct OperatorPlacement {
    std::vector<TensorPlace> inputs;
    std::vector<TensorPlace> outputs;
};
/* The tensors of one graph, and those of its custom operators. */
struct GraphPlacement : OperatorPlacement {
    std::vector<OperatorPlacement> custom_operators;
};

class DeviceProcess {
  public:
    /* Starts a process and waits until it is ready. RKNN_ERR_DEVICE_UNAVAILABLE, with its last words, if it never is.
     */
    DeviceProcess();
    ~DeviceProcess();
    DeviceProcess(const DeviceProcess &) = delete;
    DeviceProcess &operator=(const DeviceProcess &) = delete;

    pid_t pid() const { return process_->pid(); }
    /* True if it can still be used; does not wait. */
    bool alive() const;

    /* Control requests: thread-safe, one after the other. A refusal fails with the device's code and text, a lost
     * device with RKNN_ERR_DEVICE_UNAVAILABLE. */
    void load(uint32_t model, uint32_t master,
              const FileDescriptor &file); /* master: 0, or the model whose weights to use */
    DeviceSocket attach(uint32_t model, const std::vector<GraphPlacement> &graphs, const FileDescriptor &memory);
    void unload(uint32_t model) noexcept;

    /* Kills the process and waits for its end. */
    void lose() noexcept;

    /* Fails with RKNN_ERR_DEVICE_UNAVAILABLE after a connection broke; says how the process ended. */
    [[noreturn]] void fail_as_lost();

  private:
    /* Fails if the process has not said that it is ready. */
    void check_greeting(const Bytes &greeting, const std::string &interpreter);
    void control_request(const Request &request);
    /* Breaks the connection, and kills the process if it does not exit soon by itself. */
    void stop() noexcept;
    void end(int grace_ms) noexcept;
    std::string last_words() const;

    FileDescriptor errors_; /* what the process writes to stderr */
    DeviceSocket control_;
    Mutex control_mutex_; /* held from a request on the control connection to its reply */
    std::atomic<bool> lost_{false};
    Mutex ending_mutex_; /* held while the process is being ended */
    std::unique_ptr<KeptProcess> process_;
};

}  // namespace ez_rknn::rknnrt::simulated
