/* SPDX-License-Identifier: Apache-2.0 */
/* The state of the whole process: its contexts, its memory, its device. */
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "common/mutex.h"
#include "rknnrt/context/context.h"
#include "rknnrt/device/device.h"
#include "rknnrt/memory/memory_registry.h"
#include "rknnrt/settings/faults.h"

namespace ez_rknn::rknnrt {

/* Contexts by their handles. A handle is a number, never an address: destroyed and made-up handles are recognised. */
class ContextRegistry {
  public:
    rknn_context add(std::shared_ptr<Context> context);
    /* Returns NULL when there is no such context. */
    std::shared_ptr<Context> look_up(rknn_context handle);
    /* Fails with RKNN_ERR_CTX_INVALID, saying what is wrong with the handle, when there is no such context. */
    std::shared_ptr<Context> find(rknn_context handle);
    std::shared_ptr<Context> remove(rknn_context handle);
    uint32_t count();
    /* True if a context uses the weights of `model`, and no context of the model itself is left. */
    bool weights_are_orphaned(const Model &model);

  private:
    Mutex mutex_;
    std::unordered_map<rknn_context, std::shared_ptr<Context>> contexts_ EZ_RKNN_GUARDED_BY(mutex_);
};

/* All in one object, because a forked child gets a new one: the old one's mutexes may be locked by threads that the
 * child does not have, and its device belongs to the parent. */
struct ProcessState {
    ContextRegistry contexts;
    MemoryRegistry memories;
    std::unique_ptr<Device> device = make_device();
    FaultRegistry faults;
    Hangs hangs;
    const ProcessState *inherited = nullptr; /* from the parent process, after a fork; never used again */
};

ProcessState &process_state();

}  // namespace ez_rknn::rknnrt
