/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/simulated_device.h"

#include <cstring>

#include "devices/simulated/memory.h"
#include "devices/simulated/settings.h"
#include "devices/simulated/simulated_model.h"
#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/text.h"
#include "rknnrt/context/process.h"

namespace ez_rknn::rknnrt::simulated {

DeviceVersions SimulatedDevice::versions() const {
    return {"2.5.0 (simulated NPU of EZ RKNN Async)", "0.9.8 (simulated)"};
}

std::unique_ptr<DeviceSettings> SimulatedDevice::default_settings() const {
    return std::make_unique<SimulatedSettings>();
}

/* The SoC asked for, if the model was compiled for it, else the model's own. */
const Soc &SimulatedDevice::soc_for(const ModelFile &file, const DeviceSettings &settings) const {
    const Soc *own = find_soc(file.target);
    if (own == nullptr) {
        fail(RKNN_ERR_MODEL_INVALID, "this rknn model is for '", file.target,
             "', which the simulated NPU cannot emulate; it can emulate ", soc_names());
    }
    const Soc *asked = static_cast<const SimulatedSettings &>(settings).soc;
    if (asked == nullptr) return *own;
    if (std::strcmp(asked->compiled_for, own->compiled_for) != 0) {
        fail(RKNN_ERR_MODEL_INVALID, "This rknn model is for ", upper(own->name), ", but current platform is ",
             upper(asked->name));
    }
    return *asked;
}

std::shared_ptr<DeviceModel> SimulatedDevice::open(const ModelToOpen &model) {
    return std::make_shared<SimulatedModel>(*this, model);
}

std::unique_ptr<DeviceMemory> SimulatedDevice::allocate_buffer(size_t size) {
    return SimulatedMemory::buffer(size);
}

std::unique_ptr<DeviceMemory> SimulatedDevice::allocate(size_t size, uint64_t flags, const Soc *soc) {
    Sram::Share sram;
    if (soc != nullptr && (flags & RKNN_FLAG_MEMORY_TRY_ALLOC_SRAM) != 0) sram = boards_.of(*soc).sram().take(size);
    return SimulatedMemory::file(size, std::move(sram));
}

std::unique_ptr<DeviceMemory> SimulatedDevice::import(int fd, int32_t offset, size_t size) {
    return SimulatedMemory::imported(fd, offset, size);
}

SimulatedDevice &simulated_device() {
    return static_cast<SimulatedDevice &>(*process_state().device);
}

}  // namespace ez_rknn::rknnrt::simulated

std::unique_ptr<ez_rknn::rknnrt::Device> ez_rknn::rknnrt::make_device() {
    return std::make_unique<simulated::SimulatedDevice>();
}
