/* SPDX-License-Identifier: Apache-2.0 */
/* The C interface of Rockchip's NPU runtime (librknnrt.so), declared in our own words.
 *
 * Sizes, offsets, values and signatures are those observed in the vendor's library; tests check each one against a
 * recording. One file serves two readers: C and C++ include it; Python's cffi reads the part between the two marker
 * lines below, so only plain declarations and integer constants may stand there.
 *
 * What the library really does with each call, return codes included, is described in
 * docs/explanation/runtime-facts.md.
 */
#ifndef EZ_RKNN_ABI_H
#define EZ_RKNN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* cffi: begin */

/* ---- Limits ---- */
#define RKNN_MAX_DIMS 16
#define RKNN_MAX_NUM_CHANNEL 15
#define RKNN_MAX_NAME_LEN 256
#define RKNN_MAX_DYNAMIC_SHAPE_NUM 512

/* ---- Flags of rknn_init ---- */
#define RKNN_FLAG_PRIOR_HIGH 0
#define RKNN_FLAG_PRIOR_MEDIUM 1
#define RKNN_FLAG_PRIOR_LOW 2
#define RKNN_FLAG_ASYNC_MASK 4
#define RKNN_FLAG_COLLECT_PERF_MASK 8
#define RKNN_FLAG_MEM_ALLOC_OUTSIDE 16
#define RKNN_FLAG_SHARE_WEIGHT_MEM 32
#define RKNN_FLAG_FENCE_IN_OUTSIDE 64
#define RKNN_FLAG_FENCE_OUT_OUTSIDE 128
#define RKNN_FLAG_COLLECT_MODEL_INFO_ONLY 256
#define RKNN_FLAG_INTERNAL_ALLOC_OUTSIDE 512
#define RKNN_FLAG_EXECUTE_FALLBACK_PRIOR_DEVICE_GPU 1024
#define RKNN_FLAG_ENABLE_SRAM 2048
#define RKNN_FLAG_SHARE_SRAM 4096
#define RKNN_FLAG_DISABLE_PROC_HIGH_PRIORITY 8192
#define RKNN_FLAG_DISABLE_FLUSH_INPUT_MEM_CACHE 16384
#define RKNN_FLAG_DISABLE_FLUSH_OUTPUT_MEM_CACHE 32768
#define RKNN_FLAG_MODEL_BUFFER_ZERO_COPY 65536
#define RKNN_MEM_FLAG_ALLOC_NO_CONTEXT 131072

/* ---- Return codes ---- */
#define RKNN_SUCC 0
#define RKNN_ERR_FAIL -1
#define RKNN_ERR_TIMEOUT -2
#define RKNN_ERR_DEVICE_UNAVAILABLE -3
#define RKNN_ERR_MALLOC_FAIL -4
#define RKNN_ERR_PARAM_INVALID -5
#define RKNN_ERR_MODEL_INVALID -6
#define RKNN_ERR_CTX_INVALID -7
#define RKNN_ERR_INPUT_INVALID -8
#define RKNN_ERR_OUTPUT_INVALID -9
#define RKNN_ERR_DEVICE_UNMATCH -10
#define RKNN_ERR_INCOMPATILE_PRE_COMPILE_MODEL -11
#define RKNN_ERR_INCOMPATILE_OPTIMIZATION_LEVEL_VERSION -12
#define RKNN_ERR_TARGET_PLATFORM_UNMATCH -13

/* ---- Enumerations ---- */

/* Questions for rknn_query; each names the struct that receives the answer. */
typedef enum {
    RKNN_QUERY_IN_OUT_NUM = 0,                /* rknn_input_output_num */
    RKNN_QUERY_INPUT_ATTR = 1,                /* rknn_tensor_attr */
    RKNN_QUERY_OUTPUT_ATTR = 2,               /* rknn_tensor_attr */
    RKNN_QUERY_PERF_DETAIL = 3,               /* rknn_perf_detail */
    RKNN_QUERY_PERF_RUN = 4,                  /* rknn_perf_run */
    RKNN_QUERY_SDK_VERSION = 5,               /* rknn_sdk_version */
    RKNN_QUERY_MEM_SIZE = 6,                  /* rknn_mem_size */
    RKNN_QUERY_CUSTOM_STRING = 7,             /* rknn_custom_string */
    RKNN_QUERY_NATIVE_INPUT_ATTR = 8,         /* rknn_tensor_attr */
    RKNN_QUERY_NATIVE_OUTPUT_ATTR = 9,        /* rknn_tensor_attr */
    RKNN_QUERY_NATIVE_NC1HWC2_INPUT_ATTR = 8, /* the same two by their other names */
    RKNN_QUERY_NATIVE_NC1HWC2_OUTPUT_ATTR = 9,
    RKNN_QUERY_NATIVE_NHWC_INPUT_ATTR = 10,     /* rknn_tensor_attr */
    RKNN_QUERY_NATIVE_NHWC_OUTPUT_ATTR = 11,    /* rknn_tensor_attr */
    RKNN_QUERY_DEVICE_MEM_INFO = 12,            /* refused by every version seen */
    RKNN_QUERY_INPUT_DYNAMIC_RANGE = 13,        /* rknn_input_range */
    RKNN_QUERY_CURRENT_INPUT_ATTR = 14,         /* rknn_tensor_attr */
    RKNN_QUERY_CURRENT_OUTPUT_ATTR = 15,        /* rknn_tensor_attr */
    RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR = 16,  /* rknn_tensor_attr */
    RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR = 17, /* rknn_tensor_attr */
    RKNN_QUERY_CMD_MAX = 18
} rknn_query_cmd;

typedef enum {
    RKNN_TENSOR_FLOAT32 = 0,
    RKNN_TENSOR_FLOAT16 = 1,
    RKNN_TENSOR_INT8 = 2,
    RKNN_TENSOR_UINT8 = 3,
    RKNN_TENSOR_INT16 = 4,
    RKNN_TENSOR_UINT16 = 5,
    RKNN_TENSOR_INT32 = 6,
    RKNN_TENSOR_UINT32 = 7,
    RKNN_TENSOR_INT64 = 8,
    RKNN_TENSOR_BOOL = 9,
    RKNN_TENSOR_INT4 = 10,
    RKNN_TENSOR_BFLOAT16 = 11,
    RKNN_TENSOR_TYPE_MAX = 12
} rknn_tensor_type;

typedef enum {
    RKNN_TENSOR_QNT_NONE = 0,
    RKNN_TENSOR_QNT_DFP = 1,
    RKNN_TENSOR_QNT_AFFINE_ASYMMETRIC = 2, /* real = (quantised - zp) * scale */
    RKNN_TENSOR_QNT_MAX = 3
} rknn_tensor_qnt_type;

typedef enum {
    RKNN_TENSOR_NCHW = 0,
    RKNN_TENSOR_NHWC = 1,
    RKNN_TENSOR_NC1HWC2 = 2, /* channels in blocks of C2: the NPU's own layout */
    RKNN_TENSOR_UNDEFINED = 3,
    RKNN_TENSOR_FORMAT_MAX = 4
} rknn_tensor_format;

typedef enum {
    RKNN_NPU_CORE_AUTO = 0,
    RKNN_NPU_CORE_0 = 1,
    RKNN_NPU_CORE_1 = 2,
    RKNN_NPU_CORE_2 = 4,
    RKNN_NPU_CORE_0_1 = 3,
    RKNN_NPU_CORE_0_1_2 = 7,
    RKNN_NPU_CORE_ALL = 65535,
    RKNN_NPU_CORE_UNDEFINED = 65536
} rknn_core_mask;

typedef enum {
    RKNN_TENSOR_MEMORY_FLAGS_ALLOC_INSIDE = 1,
    RKNN_TENSOR_MEMORY_FLAGS_FROM_FD = 2,
    RKNN_TENSOR_MEMORY_FLAGS_FROM_PHYS = 3,
    RKNN_TENSOR_MEMORY_FLAGS_UNKNOWN = 4
} rknn_tensor_mem_flags;

typedef enum {
    RKNN_FLAG_MEMORY_FLAGS_DEFAULT = 0,
    RKNN_FLAG_MEMORY_CACHEABLE = 1,
    RKNN_FLAG_MEMORY_NON_CACHEABLE = 2,
    RKNN_FLAG_MEMORY_TRY_ALLOC_SRAM = 4
} rknn_mem_alloc_flags;

typedef enum {
    RKNN_MEMORY_SYNC_TO_DEVICE = 1,
    RKNN_MEMORY_SYNC_FROM_DEVICE = 2,
    RKNN_MEMORY_SYNC_BIDIRECTIONAL = 3
} rknn_mem_sync_mode;

/* The processor that computes a custom operator. */
typedef enum { RKNN_TARGET_TYPE_CPU = 1, RKNN_TARGET_TYPE_GPU = 2 } rknn_target_type;

/* ---- Structures ---- */

typedef uint64_t rknn_context;

typedef struct {
    uint32_t n_input;
    uint32_t n_output;
} rknn_input_output_num;

/* One input or output. `index` is set by the caller of rknn_query; everything else is the answer. */
typedef struct {
    uint32_t index;
    uint32_t n_dims;
    uint32_t dims[16];
    char name[256];
    uint32_t n_elems;
    uint32_t size; /* bytes without strides */
    rknn_tensor_format fmt;
    rknn_tensor_type type;
    rknn_tensor_qnt_type qnt_type;
    int8_t fl; /* fractional bits, for QNT_DFP */
    int32_t zp;
    float scale;
    uint32_t w_stride;         /* row length in pixels, 0: as wide as the tensor */
    uint32_t size_with_stride; /* bytes with strides */
    uint8_t pass_through;      /* 1: the bytes go to the NPU as they are */
    uint32_t h_stride;
} rknn_tensor_attr;

/* The legal shapes of one input of a dynamic-shape model, largest first. */
typedef struct {
    uint32_t index;
    uint32_t shape_number;
    rknn_tensor_format fmt;
    char name[256];
    uint32_t dyn_range[512][16];
    uint32_t n_dims;
} rknn_input_range;

typedef struct {
    char *perf_data; /* text; belongs to the library */
    uint64_t data_len;
} rknn_perf_detail;

typedef struct {
    int64_t run_duration; /* microseconds */
} rknn_perf_run;

typedef struct {
    char api_version[256];
    char drv_version[256];
} rknn_sdk_version;

typedef struct {
    uint32_t total_weight_size; /* all in bytes */
    uint32_t total_internal_size;
    uint64_t total_dma_allocated_size;
    uint32_t total_sram_size;
    uint32_t free_sram_size;
    uint32_t reserved[10];
} rknn_mem_size;

typedef struct {
    char string[1024];
} rknn_custom_string;

/* Memory that both the CPU and the NPU can reach. */
typedef struct {
    void *virt_addr;
    uint64_t phys_addr;
    int32_t fd;
    int32_t offset;
    uint32_t size;
    uint32_t flags; /* rknn_tensor_mem_flags */
    void *priv_data;
} rknn_tensor_mem;

/* The library uses the position in the array, not `index`. */
typedef struct {
    uint32_t index;
    void *buf;
    uint32_t size;
    uint8_t pass_through;
    rknn_tensor_type type;
    rknn_tensor_format fmt;
} rknn_input;

typedef struct {
    uint8_t want_float;  /* 1: float32 whatever the tensor's type */
    uint8_t is_prealloc; /* 1: `buf` and `size` are the caller's */
    uint32_t index;
    void *buf;
    uint32_t size;
} rknn_output;

typedef struct {
    rknn_context ctx; /* whose weights to share, with RKNN_FLAG_SHARE_WEIGHT_MEM */
    int32_t real_model_offset;
    uint32_t real_model_size;
    int32_t model_buffer_fd;
    uint32_t model_buffer_flags;
    uint8_t reserved[112];
} rknn_init_extend;

typedef struct {
    uint64_t frame_id;
    int32_t non_block;
    int32_t timeout_ms;
    int32_t fence_fd;
} rknn_run_extend;

typedef struct {
    uint64_t frame_id;
} rknn_output_extend;

/* ---- Custom operators: their structures ---- */

/* OpenCL objects, for operators of the GPU. */
typedef struct {
    void *cl_context;
    void *cl_command_queue;
    void *cl_kernel;
} rknn_gpu_op_context;

/* One operator of one context, from its init to its destroy. */
typedef struct {
    rknn_target_type target;
    void *internal_ctx; /* the library's */
    rknn_gpu_op_context gpu_ctx;
    void *priv_data; /* the operator's own, which the library never touches */
} rknn_custom_op_context;

/* The data begins at mem.virt_addr + mem.offset. */
typedef struct {
    rknn_tensor_attr attr;
    rknn_tensor_mem mem;
} rknn_custom_op_tensor;

/* An ONNX attribute of an operator: `n_elems` elements of `dtype` at `data`; 0 elements when there is no such
 * attribute. */
typedef struct {
    char name[256];
    rknn_tensor_type dtype;
    uint32_t n_elems;
    void *data;
} rknn_custom_op_attr;

/* A custom operator and the functions that compute it; each returns 0, or an error that fails the call it is part of.
 * Only `compute` is required. */
typedef struct {
    uint32_t version;
    rknn_target_type target;
    char op_type[256];        /* as in the model: "cstSoftmax" */
    char cl_kernel_name[256]; /* this and the next three: for the GPU */
    char *cl_kernel_source;   /* its text, or the path of a file when cl_source_size is 0 */
    uint64_t cl_source_size;
    char cl_build_options[256];
    /* Called once, when the operator is registered. */
    int (*init)(rknn_custom_op_context *op_ctx, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                rknn_custom_op_tensor *outputs, uint32_t n_outputs);
    /* Called before each compute. */
    int (*prepare)(rknn_custom_op_context *op_ctx, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor *outputs, uint32_t n_outputs);
    /* Computes on float32 in the order of the ONNX model (NCHW); tensors that are integers there are int64. */
    int (*compute)(rknn_custom_op_context *op_ctx, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                   rknn_custom_op_tensor *outputs, uint32_t n_outputs);
    /* Reserved: NULL. */
    int (*compute_native)(rknn_custom_op_context *op_ctx, rknn_custom_op_tensor *inputs, uint32_t n_inputs,
                          rknn_custom_op_tensor *outputs, uint32_t n_outputs);
    /* Called once, when the context is destroyed. */
    int (*destroy)(rknn_custom_op_context *op_ctx);
} rknn_custom_op;

/* ---- Functions that every version has ---- */

/* `model` is the file's bytes, or its path when `size` is 0. A handle left behind by a failed call must not be used. */
int rknn_init(rknn_context *context, void *model, uint32_t size, uint32_t flag, rknn_init_extend *extend);
int rknn_dup_context(rknn_context *context_in, rknn_context *context_out);
int rknn_destroy(rknn_context context);
int rknn_query(rknn_context context, rknn_query_cmd cmd, void *info, uint32_t size);
int rknn_inputs_set(rknn_context context, uint32_t n_inputs, rknn_input inputs[]);
int rknn_set_batch_core_num(rknn_context context, int core_num);
int rknn_set_core_mask(rknn_context context, rknn_core_mask core_mask);
int rknn_run(rknn_context context, rknn_run_extend *extend);
int rknn_wait(rknn_context context, rknn_run_extend *extend);
int rknn_outputs_get(rknn_context context, uint32_t n_outputs, rknn_output outputs[], rknn_output_extend *extend);
int rknn_outputs_release(rknn_context context, uint32_t n_outputs, rknn_output outputs[]);
rknn_tensor_mem *rknn_create_mem_from_phys(rknn_context ctx, uint64_t phys_addr, void *virt_addr, uint32_t size);
rknn_tensor_mem *rknn_create_mem_from_fd(rknn_context ctx, int32_t fd, void *virt_addr, uint32_t size, int32_t offset);
rknn_tensor_mem *rknn_create_mem_from_mb_blk(rknn_context ctx, void *mb_blk, int32_t offset);
rknn_tensor_mem *rknn_create_mem(rknn_context ctx, uint32_t size);
int rknn_destroy_mem(rknn_context ctx, rknn_tensor_mem *mem);
int rknn_set_weight_mem(rknn_context ctx, rknn_tensor_mem *mem);
int rknn_set_internal_mem(rknn_context ctx, rknn_tensor_mem *mem);
int rknn_set_io_mem(rknn_context ctx, rknn_tensor_mem *mem, rknn_tensor_attr *attr);
int rknn_set_input_shape(rknn_context ctx, rknn_tensor_attr *attr);
int rknn_set_input_shapes(rknn_context ctx, uint32_t n_inputs, rknn_tensor_attr attr[]);

/* ---- Functions that only newer versions have (2.x; version 1.5.2 lacks both) ---- */

rknn_tensor_mem *rknn_create_mem2(rknn_context ctx, uint64_t size, uint64_t alloc_flags);
int rknn_mem_sync(rknn_context context, rknn_tensor_mem *mem, rknn_mem_sync_mode mode);

/* ---- Custom operators: their functions (version 1.5.2 lacks these as well) ---- */

/* Registers operators with one context; its duplicates (rknn_dup_context) do not have them. */
int rknn_register_custom_ops(rknn_context ctx, rknn_custom_op *op, uint32_t custom_op_num);
/* Gets an attribute of the operator, for its own functions ("name" is the operator's own name). Integers are int64,
 * reals float32, text uint8; what `data` points to lives as long as the context. */
void rknn_custom_op_get_op_attr(rknn_custom_op_context *op_ctx, const char *attr_name, rknn_custom_op_attr *op_attr);

/* Exported by a plug-in: returns its operator, which must stay at its address. */
rknn_custom_op *get_rknn_custom_op(void);

/* cffi: end */

#ifdef __cplusplus
}
#endif

#endif
