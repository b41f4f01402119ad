#include "device.h"

#include <utility>

namespace ez_rknn::simulator {

DeviceModel::DeviceModel(std::shared_ptr<DeviceProcess> process, uint32_t id, const FileDescriptor &file)
    : process_(std::move(process)), id_(id) {
    process_->load(id_, file);
}

DeviceModel::~DeviceModel() {
    if (process_->alive()) process_->unload(id_);
}

std::shared_ptr<DeviceProcess> Device::running() {
    if (process_ == nullptr || !process_->alive()) {
        process_.reset();
        process_ = std::make_shared<DeviceProcess>();
    }
    return process_;
}

std::shared_ptr<DeviceModel> Device::load(const FileDescriptor &file) {
    std::shared_ptr<DeviceProcess> process;
    uint32_t id = 0;
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        process = running();
        id = next_model_++;
    }
    return std::make_shared<DeviceModel>(std::move(process), id, file);
}

pid_t Device::pid() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return process_ != nullptr && process_->alive() ? process_->pid() : 0;
}

}  // namespace ez_rknn::simulator
