/* SPDX-License-Identifier: Apache-2.0 */
/* A line of waiting threads, served strictly in order of arrival.
 *
 * A plain condition variable wakes any waiter, and lets a newcomer overtake those asleep. Here each thread sleeps on
 * its own event, so that exactly the first one is woken, and only when it can go on. */
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <list>

#include "common/mutex.h"
#include "engine/event.h"
#include "engine/monotonic.h"

namespace ez_rknn::engine {

/* A waiter's deadline and ticket number. */
struct Turn {
    Deadline deadline;
    bool is_interruptible = false;
    uint64_t number = 0; /* 0: none yet. Kept when a wait is interrupted, so that the waiter returns to its place */
};

/* Guarded by one mutex, the one that wait() gets; what `ready` reads must be guarded by it too.
 *
 * `ready` must be the same condition for all threads in a line. Then only two things can let a sleeper go on: the
 * condition becomes true, or the thread before it went on and it is still true. The thread that causes either calls
 * wake_first(). The condition may also become true by time alone, at the moment that `due` returns: only the first in
 * line watches the clock, and a thread that leaves the first place unserved wakes the next to do so. */
class WaitingLine {
  public:
    /* Waits until the caller is first in line and ready(), which is Wake::set, or gives up. */
    template <typename Ready, typename Due>
    Wake wait(Mutex &mutex, Turn &turn, Ready ready, Due due) EZ_RKNN_REQUIRES(mutex) {
        if (is_empty() && ready()) return Wake::set;
        const Place place(*this, turn);
        Wake wake = Wake::set;
        while (!(place.is_first() && ready())) {
            if (wake == Wake::timeout || wake == Wake::interrupted) {
                place.wake_second();
                return wake;
            }
            wake = place.sleep(mutex, turn, place.is_first() ? due() : Deadline::never());
        }
        return Wake::set;
    }
    /* The same for a condition that time does not change. */
    template <typename Ready>
    Wake wait(Mutex &mutex, Turn &turn, Ready ready) EZ_RKNN_REQUIRES(mutex) {
        return wait(mutex, turn, ready, [] { return Deadline::never(); });
    }

    bool is_empty() const { return sleepers_.empty(); }
    void wake_first() {
        if (!sleepers_.empty()) sleepers_.front().event.set();
    }

    /* The last ticket number given, and whether every waiter up to a number was served or gave up. */
    uint64_t last_number() const { return last_number_; }
    bool has_passed(uint64_t number) const { return sleepers_.empty() || sleepers_.front().number > number; }

  private:
    struct Sleeper {
        explicit Sleeper(uint64_t arrival) : number(arrival) {}
        const uint64_t number;
        Event event;
    };
    using Sleepers = std::list<Sleeper>; /* sorted by number */

    /* A thread's place in line, held while it waits. */
    class Place {
      public:
        Place(WaitingLine &line, Turn &turn) : sleepers_(line.sleepers_), self_(line.enter(turn)) {}
        ~Place() { sleepers_.erase(self_); }
        Place(const Place &) = delete;
        Place &operator=(const Place &) = delete;

        bool is_first() const { return self_ == sleepers_.begin(); }
        void wake_second() const {
            if (is_first() && std::next(self_) != sleepers_.end()) std::next(self_)->event.set();
        }
        Wake sleep(Mutex &mutex, const Turn &turn, const Deadline &due) const EZ_RKNN_REQUIRES(mutex) {
            const Wake wake = self_->event.wait_until(mutex, std::min(turn.deadline, due));
            if (wake == Wake::timeout && !turn.deadline.has_passed()) return Wake::set;
            if (wake == Wake::interrupted && !turn.is_interruptible) return Wake::set;
            return wake;
        }

      private:
        Sleepers &sleepers_;
        const Sleepers::iterator self_;
    };

    Sleepers::iterator enter(Turn &turn) {
        if (turn.number == 0) turn.number = ++last_number_;
        const auto after = std::find_if(sleepers_.rbegin(), sleepers_.rend(),
                                        [&](const Sleeper &s) { return s.number < turn.number; });
        return sleepers_.emplace(after.base(), turn.number);
    }

    Sleepers sleepers_;
    uint64_t last_number_ = 0;
};

}  // namespace ez_rknn::engine
