/* SPDX-License-Identifier: Apache-2.0 */
/* The interface between the front and the NPU behind it: opening a model, holding memory, running the model on cores.
 *
 * The front speaks the vendor's interface and refuses what is wrong; a device gets only checked arguments. One device
 * is linked into the library; make_device() returns it. Failures are StatusErrors (base/status.h), worded for the
 * author of the program. Everything here is thread-safe unless it says otherwise. */
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "rknnrt/base/bytes.h"
#include "rknnrt/base/file_descriptor.h"
#include "rknnrt/device/soc.h"
#include "rknnrt/file/model_file.h"

namespace ez_rknn::rknnrt {

/* ---- Settings ---- */

/* The device's own settings: "key=value" texts that the front does not understand, read and checked by the device. */
class DeviceSettings {
  public:
    virtual ~DeviceSettings() = default;
    virtual std::unique_ptr<DeviceSettings> copy() const = 0;

    virtual std::vector<std::string> keys() const = 0;
    /* Sets one of keys(); fails with RKNN_ERR_PARAM_INVALID for a wrong value. Not thread-safe. */
    virtual void set(const std::string &key, const std::string &value) = 0;

    /* Fails with RKNN_ERR_PARAM_INVALID if they name something that the SoC does not have. */
    virtual void check(const Soc &soc) const = 0;
    /* The reason why lose() would do nothing, as words that follow the fault's name; "" if it works. */
    virtual std::string why_never_lost() const = 0;
};

/* ---- Memory ---- */

/* Memory that the CPU and the NPU share. */
class DeviceMemory {
  public:
    virtual ~DeviceMemory() = default;
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;

    uint8_t *data() const { return data_; }
    size_t size() const { return size_; }
    bool writable() const { return writable_; }
    /* Its file, which stays open while this lives; -1: it has none. */
    int fd() const { return fd_; }
    /* Its address for the NPU. */
    uint64_t npu_address() const { return npu_address_; }

  protected:
    DeviceMemory() = default;

    uint8_t *data_ = nullptr;
    size_t size_ = 0;
    bool writable_ = true;
    int fd_ = -1;
    uint64_t npu_address_ = 0;
};

/* Static memory of the SoC, in bytes. */
struct SramSize {
    uint64_t total = 0;
    uint64_t free = 0;
};

/* ---- Running ---- */

/* The format in which the NPU reads an input. */
struct InputReading {
    bool raw_uint8 = false;  /* the buffer holds pixels; the NPU subtracts, multiplies and shifts while it reads */
    bool dense_rows = false; /* rows follow each other without w_stride's gaps */
};

/* All inferences of a run, one after the other, as the NPU stores them. */
struct DeviceInput {
    DeviceMemory *memory = nullptr;
    InputReading reading;
    bool in_place = false; /* the program's own memory: the NPU fills the ends of its rows, if the compiler says so */
};

struct DeviceRun {
    size_t graph = 0;       /* whose shapes are in use */
    uint32_t core_mask = 0; /* 0: any free core */
    std::vector<DeviceInput> inputs;
    /* All inferences, dense, in ONNX order and in the model's type. A device that computes nothing leaves them as they
     * are. */
    std::vector<DeviceMemory *> outputs;
    /* Called on the thread of run() when the graph reaches its custom operator of that number. */
    std::function<void(size_t)> compute_custom_operator;
};

/* The place of a custom operator's tensor: at `memory` + `offset`. */
struct OperandPlace {
    uint8_t *memory = nullptr; /* NULL if nothing is computed */
    uint64_t offset = 0;
    uint64_t size = 0;
};
struct OperatorPlaces {
    std::vector<OperandPlace> inputs;
    std::vector<OperandPlace> outputs;
};

/* A model prepared for the inferences of one rknn_context. Not thread-safe. */
class DeviceContext {
  public:
    virtual ~DeviceContext() = default;

    /* Runs all inferences of one rknn_run, and waits for their end. Returns the time of that end, in nanoseconds of
     * CLOCK_MONOTONIC by the device's own account, which RKNN_QUERY_PERF_RUN reports from. */
    virtual int64_t run(const DeviceRun &run) = 0;
    /* The tensors of a custom operator: dense, in ONNX order, of the types that it computes with
     * (tensors/tensor_port.h). */
    virtual OperatorPlaces operator_places(size_t graph, size_t custom_operator) const = 0;
    /* The text of RKNN_QUERY_PERF_DETAIL after a run; with `layers` a table of them too. */
    virtual std::string perf_detail(size_t graph, bool layers) const = 0;
};

/* A model that the device has opened. */
class DeviceModel {
  public:
    virtual ~DeviceModel() = default;

    /* True if the device reads the inputs and writes the outputs; if not, a run only takes its time. */
    virtual bool computes() const = 0;
    virtual SramSize sram() const = 0;
    /* `flags` are those of rknn_init. The context must not outlive the model. */
    virtual std::unique_ptr<DeviceContext> make_context(uint32_t flags) = 0;
};

struct ModelToOpen {
    const ModelFile &file; /* outlives the model */
    Bytes content;
    const FileDescriptor &descriptor; /* of the file with that content, if there is one */
    const Soc &soc;
    const DeviceSettings &settings;
    const DeviceModel *weights; /* whose weights it uses; NULL: it has its own */
};

/* ---- The device ---- */

struct DeviceVersions {
    const char *api; /* clients compare its first three numbers with the oldest version that they support */
    const char *driver;
};

class Device {
  public:
    virtual ~Device() = default;

    /* The device's name in messages, after "the". */
    virtual const char *name() const = 0;
    virtual DeviceVersions versions() const = 0;

    /* The environment variable with settings for all contexts. */
    virtual const char *settings_variable() const = 0;
    virtual std::unique_ptr<DeviceSettings> default_settings() const = 0;

    /* The SoC to run the model on; fails with RKNN_ERR_MODEL_INVALID if the device supports none that the model is
     * for. */
    virtual const Soc &soc_for(const ModelFile &file, const DeviceSettings &settings) const = 0;
    virtual std::shared_ptr<DeviceModel> open(const ModelToOpen &model) = 0;

    /* Zeroed memory for the front's own use; it takes up no memory until it is written. */
    virtual std::unique_ptr<DeviceMemory> allocate_buffer(size_t size) = 0;
    /* Zeroed memory with a file, for the program. `flags` are those of rknn_create_mem2; `soc` is the one of the
     * context that asks, or NULL. Fails with RKNN_ERR_MALLOC_FAIL. */
    virtual std::unique_ptr<DeviceMemory> allocate(size_t size, uint64_t flags, const Soc *soc) = 0;
    /* Part of a file that the program owns. Fails with RKNN_ERR_PARAM_INVALID if the NPU cannot reach it. */
    virtual std::unique_ptr<DeviceMemory> import(int fd, int32_t offset, size_t size) = 0;

    /* Acts as failed hardware: calls that need the device now fail with RKNN_ERR_DEVICE_UNAVAILABLE. */
    virtual void lose() = 0;
};

/* Makes the device of a process, when it is first needed, and again in a forked child. Defined by the device that the
 * library is linked with. */
std::unique_ptr<Device> make_device();

}  // namespace ez_rknn::rknnrt
