/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/current_process.h"

#include <cstdlib>
#include <utility>

#include "devices/simulated/simulated_device.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

/* Collects the process, instead of leaving it to a reaper of orphans, which may not exist. */
void end_device_at_exit() {
    simulated_device().process().end();
}

}  // namespace

LoadedModel::LoadedModel(std::shared_ptr<DeviceProcess> process, uint32_t id, const FileDescriptor &file,
                         std::shared_ptr<LoadedModel> master)
    : process_(std::move(process)), master_(std::move(master)), id_(id) {
    process_->load(id_, master_ != nullptr ? master_->id() : 0, file);
}

LoadedModel::~LoadedModel() {
    if (process_->alive()) process_->unload(id_);
}

std::shared_ptr<DeviceProcess> CurrentProcess::running() {
    if (process_ == nullptr || !process_->alive()) {
        process_.reset();
        process_ = std::make_shared<DeviceProcess>();
        static const bool registered = std::atexit(end_device_at_exit) == 0;
        static_cast<void>(registered);
    }
    return process_;
}

std::shared_ptr<LoadedModel> CurrentProcess::load(const FileDescriptor &file,
                                                  const std::shared_ptr<LoadedModel> &master) {
    if (master != nullptr && !master->process()->alive()) master->process()->fail_as_lost();
    std::shared_ptr<DeviceProcess> process;
    uint32_t id = 0;
    {
        const Lock lock(mutex_);
        process = master != nullptr ? master->process() : running();
        id = next_model_++;
    }
    return std::make_shared<LoadedModel>(std::move(process), id, file, master);
}

void CurrentProcess::lose() {
    std::shared_ptr<DeviceProcess> process;
    {
        const Lock lock(mutex_);
        process = process_;
    }
    if (process != nullptr) process->lose();
}

void CurrentProcess::end() noexcept {
    // A thread that is starting a process right now keeps it; that process ends with this one.
    if (!mutex_.try_lock()) return;
    if (process_ != nullptr) process_->lose();
    mutex_.unlock();
}

pid_t CurrentProcess::pid() {
    const Lock lock(mutex_);
    return process_ != nullptr && process_->alive() ? process_->pid() : 0;
}

}  // namespace ez_rknn::rknnrt::simulated
