#ifndef EZ_RKNN_INLINE_H
#define EZ_RKNN_INLINE_H

/* For what is compiled into several functions, each for processors with other instructions. */
#define EZR_INLINE __attribute__((always_inline)) inline

#endif
