/* For what is compiled into several functions, each for processors with other instructions. */
#pragma once

#define EZ_RKNN_INLINE __attribute__((always_inline)) inline
