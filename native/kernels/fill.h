/* SPDX-License-Identifier: Apache-2.0 */
/* The gaps of a destination, where no element of the source goes. */
#pragma once

#include "ez_rknn_kernels.h"

namespace ez_rknn::kernels {

/* Fills the gaps of the destination: the ends of rows with the conversion's gap values; in NC1HWC2, channels after the
 * last, surfaces' ends and empty blocks with zeros. Must precede the elements: it may write where they will lie. */
void fill_gaps(const ezr_conversion &conversion, void *to);

}  // namespace ez_rknn::kernels
