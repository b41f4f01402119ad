/* Marks what the library exports; everything else in it is hidden. */
#pragma once

#define EZ_RKNN_EXPORT extern "C" __attribute__((visibility("default")))
