/* SPDX-License-Identifier: Apache-2.0 */
/* The device process of this program: at most one, started when it is first needed, and again after it was lost. */
#pragma once

#include <cstdint>
#include <memory>

#include "common/mutex.h"
#include "devices/simulated/device_process.h"

namespace ez_rknn::rknnrt::simulated {

/* A model in the device process; unloaded when its last user releases it. Weights that its file leaves out are those of
 * `master`, which stays loaded as long. */
class LoadedModel {
  public:
    LoadedModel(std::shared_ptr<DeviceProcess> process, uint32_t id, const FileDescriptor &file,
                std::shared_ptr<LoadedModel> master);
    ~LoadedModel();
    LoadedModel(const LoadedModel &) = delete;
    LoadedModel &operator=(const LoadedModel &) = delete;

    const std::shared_ptr<DeviceProcess> &process() const { return process_; }
    uint32_t id() const { return id_; }

  private:
    std::shared_ptr<DeviceProcess> process_;
    std::shared_ptr<LoadedModel> master_; /* may be NULL */
    uint32_t id_;
};

class CurrentProcess {
  public:
    /* `master` may be NULL; otherwise the model is loaded into the process that has it. */
    std::shared_ptr<LoadedModel> load(const FileDescriptor &file, const std::shared_ptr<LoadedModel> &master);
    /* The process that runs now, or 0. */
    pid_t pid();
    /* Kills that process; its users find it lost. */
    void lose();
    /* Ends it with the program; runs of other threads fail. */
    void end() noexcept;

  private:
    std::shared_ptr<DeviceProcess> running() EZ_RKNN_REQUIRES(mutex_);

    Mutex mutex_; /* held while a process is being started */
    std::shared_ptr<DeviceProcess> process_ EZ_RKNN_GUARDED_BY(mutex_);
    uint32_t next_model_ EZ_RKNN_GUARDED_BY(mutex_) = 1;
};

}  // namespace ez_rknn::rknnrt::simulated
