/* SPDX-License-Identifier: Apache-2.0 */
/* Marks the symbols that the library exports; all others are hidden. */
#pragma once

#define EZ_RKNN_EXPORT extern "C" __attribute__((visibility("default")))
