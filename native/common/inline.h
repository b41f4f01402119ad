/* SPDX-License-Identifier: Apache-2.0 */
/* Forces inlining, for code compiled into several functions, each for another instruction set. */
#pragma once

#define EZ_RKNN_INLINE __attribute__((always_inline)) inline
