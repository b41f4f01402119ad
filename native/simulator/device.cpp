#include "device.h"

#include <string>
#include <utility>

#include "interpreter.h"
#include "rknn_abi.h"
#include "status.h"

namespace ez_rknn::simulator {

DeviceModel::DeviceModel(std::shared_ptr<DeviceProcess> process, uint32_t id, const FileDescriptor &file,
                         std::shared_ptr<DeviceModel> master)
    : process_(std::move(process)), master_(std::move(master)), id_(id) {
    process_->load(id_, master_ != nullptr ? master_->id() : 0, file);
}

DeviceModel::~DeviceModel() {
    if (process_->alive()) process_->unload(id_);
}

/* With the first interpreter that has the package. */
std::shared_ptr<DeviceProcess> Device::start() {
    std::string reasons;
    for (const std::string &interpreter : interpreters()) {
        try {
            return std::make_shared<DeviceProcess>(interpreter);
        } catch (const StatusError &error) {
            reasons += error.text() + "\n";
        }
    }
    fail(RKNN_ERR_DEVICE_UNAVAILABLE, reasons,
         "EZ_RKNN_PYTHON names the Python interpreter that has the package ez_rknn_async");
}

std::shared_ptr<DeviceProcess> Device::running() {
    if (process_ == nullptr || !process_->alive()) {
        process_.reset();
        process_ = start();
    }
    return process_;
}

std::shared_ptr<DeviceModel> Device::load(const FileDescriptor &file, const std::shared_ptr<DeviceModel> &master) {
    if (master != nullptr && !master->process()->alive()) master->process()->fail_as_lost();
    std::shared_ptr<DeviceProcess> process;
    uint32_t id = 0;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        process = master != nullptr ? master->process() : running();
        id = next_model_++;
    }
    return std::make_shared<DeviceModel>(std::move(process), id, file, master);
}

void Device::lose() {
    std::shared_ptr<DeviceProcess> process;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        process = process_;
    }
    if (process != nullptr) process->lose();
}

pid_t Device::pid() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return process_ != nullptr && process_->alive() ? process_->pid() : 0;
}

}  // namespace ez_rknn::simulator
