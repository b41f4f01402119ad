/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the simulated NPU, in this process. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "devices/simulated/sram.h"
#include "rknnrt/base/pages.h"
#include "rknnrt/device/device.h"

namespace ez_rknn::rknnrt::simulated {

class SimulatedMemory : public DeviceMemory {
  public:
    /* Private memory. */
    static std::unique_ptr<SimulatedMemory> buffer(size_t size);
    /* A file without a name (memfd), so that its descriptor can be given to another context or another process and be
     * mapped there, as a dma-buf can. `sram` is its share of the static memory, if that was asked for. */
    static std::unique_ptr<SimulatedMemory> file(size_t size, Sram::Share sram);
    /* Maps memory through its descriptor, as an NPU reaches it. */
    static std::unique_ptr<SimulatedMemory> imported(int fd, int32_t offset, size_t size);
    ~SimulatedMemory() override;

  private:
    SimulatedMemory() = default;
    void map(Pages pages, size_t skipped, size_t size);

    Pages pages_;
    Sram::Share sram_;
    bool owns_fd_ = false;
};

}  // namespace ez_rknn::rknnrt::simulated
