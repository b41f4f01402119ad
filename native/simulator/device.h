/* The device that a process computes on: at most one device process, started when it is first needed, and again after
 * it was lost. */
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "device_process.h"

namespace ez_rknn::simulator {

/* A model in the device process; unloaded when its last user lets go of it. */
class DeviceModel {
  public:
    DeviceModel(std::shared_ptr<DeviceProcess> process, uint32_t id, const FileDescriptor &file);
    ~DeviceModel();
    DeviceModel(const DeviceModel &) = delete;
    DeviceModel &operator=(const DeviceModel &) = delete;

    DeviceProcess &process() const { return *process_; }
    uint32_t id() const { return id_; }

  private:
    std::shared_ptr<DeviceProcess> process_;
    uint32_t id_;
};

class Device {
  public:
    std::shared_ptr<DeviceModel> load(const FileDescriptor &file);
    /* The process that runs now, or 0. */
    pid_t pid();

  private:
    std::shared_ptr<DeviceProcess> running();
    static std::shared_ptr<DeviceProcess> start();

    std::mutex mutex_; /* guards the two below, and is held while a process is being started */
    std::shared_ptr<DeviceProcess> process_;
    uint32_t next_model_ = 1;
};

}  // namespace ez_rknn::simulator
