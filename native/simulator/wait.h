/* Waiting until a point in time, to within microseconds. */
#pragma once

#include <cstdint>

namespace ez_rknn::simulator {

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t now_ns();

/* Returns at `deadline_ns`, or at once when it has passed. The kernel may otherwise be up to 50 microseconds late, by
 * its timer slack; the calling thread's is set to the least for the wait, and back. */
void wait_until_ns(int64_t deadline_ns);

}  // namespace ez_rknn::simulator
