/* What this library offers beyond the vendor's interface. */
#include "export.h"
#include "ez_rknn_simulator.h"
#include "process.h"
#include "rknn_abi.h"
#include "settings.h"
#include "status.h"

using namespace ez_rknn::simulator;

EZ_RKNN_EXPORT int ez_rknn_simulator_configure(const char *settings) {
    return guarded("ez_rknn_simulator_configure", [&] {
        configure_thread(settings == nullptr ? "" : settings);
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int ez_rknn_simulator_counters(const char *soc, uint32_t core, ez_rknn_core_counters *counters) {
    return guarded("ez_rknn_simulator_counters", [&] {
        const Soc *found = soc == nullptr ? nullptr : find_soc(soc);
        if (found == nullptr) fail(RKNN_ERR_PARAM_INVALID, "there is no such SoC; use one of ", soc_names());
        if (core >= found->cores) {
            fail(RKNN_ERR_PARAM_INVALID, found->name, " has cores 0 to ", found->cores - 1, ", but no core ", core);
        }
        if (counters == nullptr) fail(RKNN_ERR_PARAM_INVALID, "the place for the counters is NULL");
        const CoreCounters values = process_state().boards.of(*found).counters(core);
        *counters = {values.runs, values.busy_ns};
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT void ez_rknn_simulator_reset_counters(void) {
    guarded("ez_rknn_simulator_reset_counters", [] {
        process_state().boards.reset_counters();
        return RKNN_SUCC;
    });
}

EZ_RKNN_EXPORT int ez_rknn_simulator_device_pid(void) {
    int pid = 0;
    guarded("ez_rknn_simulator_device_pid", [&] {
        pid = process_state().device.pid();
        return RKNN_SUCC;
    });
    return pid;
}

EZ_RKNN_EXPORT const char *ez_rknn_last_error(void) {
    return last_error();
}
