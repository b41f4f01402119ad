/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/waits.h"

#include <algorithm>

#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr int64_t tolerated = 20;       /* a twentieth of the duration */
constexpr int64_t wake_up_ns = 100'000; /* within which an idle machine wakes a thread */
constexpr uint64_t fewest = 20;         /* waits, before a share of them says anything */
constexpr uint64_t noticeable_percent = 5;

}  // namespace

void Waits::count(int64_t duration_ns, int64_t late_ns) {
    ++all_;
    if (late_ns > std::max(duration_ns / tolerated, wake_up_ns)) ++late_;
}

std::string Waits::remark() {
    const uint64_t late = late_.exchange(0);
    const uint64_t all = all_.exchange(0);
    if (all < fewest || late * 100 < all * noticeable_percent) return "";
    return text_of("the host could not keep modelled time: ", late * 100 / all, " % of ", all,
                   " waits were late by more than 5 % and 0.1 ms");
}

}  // namespace ez_rknn::rknnrt::simulated
