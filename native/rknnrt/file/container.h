/* What stands around the FlatBuffer of a .rknn file: a header of 64 bytes before it, a summary in JSON behind it. */
#pragma once

#include "rknnrt/base/bytes.h"

namespace ez_rknn::rknnrt {

/* The FlatBuffer of a file; RKNN_ERR_MODEL_INVALID, saying what it is instead, of what is no .rknn file. */
Bytes open_container(const Bytes &file);

}  // namespace ez_rknn::rknnrt
