/* One running device process: started, spoken to, and buried. */
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device_socket.h"
#include "file_descriptor.h"

namespace ez_rknn::simulator {

/* Where a tensor lies in the shared memory. */
struct Place {
    uint64_t offset;
    uint64_t size;
};
struct OperatorPlacement {
    std::vector<Place> inputs;
    std::vector<Place> outputs;
};
/* The tensors of one graph, and those of its custom operators. */
struct GraphPlacement : OperatorPlacement {
    std::vector<OperatorPlacement> custom_operators;
};

class DeviceProcess {
  public:
    /* Starts a process with that Python and waits until it is ready. RKNN_ERR_DEVICE_UNAVAILABLE, with its last words,
     * if it never is. */
    explicit DeviceProcess(const std::string &interpreter);
    ~DeviceProcess();
    DeviceProcess(const DeviceProcess &) = delete;
    DeviceProcess &operator=(const DeviceProcess &) = delete;

    pid_t pid() const { return pid_; }
    /* Whether it can still be used; does not wait. */
    bool alive() const;

    /* Control requests: thread-safe, one after the other. A refusal fails with the device's code and text; a device
     * that is gone with RKNN_ERR_DEVICE_UNAVAILABLE. */
    void load(uint32_t model, uint32_t master, const FileDescriptor &file); /* master: 0, or whose weights to use */
    DeviceSocket attach(uint32_t model, const std::vector<GraphPlacement> &graphs, const FileDescriptor &memory);
    void unload(uint32_t model) noexcept;

    /* Kills the process and waits for its end. */
    void lose() noexcept;

    /* Fails with RKNN_ERR_DEVICE_UNAVAILABLE after a connection broke; says how the process ended. */
    [[noreturn]] void fail_as_lost();

  private:
    void spawn(const std::string &interpreter, const FileDescriptor &control_end);
    void control_request(const Request &request);
    /* Ends the process if it has not ended by itself, and collects it. */
    void bury() noexcept;
    std::string last_words() const;

    FileDescriptor errors_; /* what the process writes to stderr */
    DeviceSocket control_;
    std::mutex control_mutex_; /* held from a request on the control connection to its reply */
    std::atomic<bool> lost_{false};
    pid_t pid_ = 0;
    std::mutex burial_mutex_; /* guards the two below */
    bool buried_ = false;
    int exit_status_ = 0;
};

}  // namespace ez_rknn::simulator
