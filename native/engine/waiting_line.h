/* A line of threads that are served strictly in the order in which they came.
 *
 * A plain condition variable wakes whomever it likes, and lets a newcomer overtake those who sleep. Here each thread
 * sleeps on a condition of its own, so that exactly the first one is woken, and only when it can go on. */
#ifndef EZ_RKNN_WAITING_LINE_H
#define EZ_RKNN_WAITING_LINE_H

#include <list>

#include "monotonic.h"

namespace ezr {

/* Guarded by one mutex, the one that `lock` holds; what `ready` reads must be guarded by it too.
 *
 * `ready` must be the same question for everyone in a line. Then only two things can let a sleeper go on: the answer
 * turns to yes, or the one before it went on and the answer is still yes. Whoever brings about either calls
 * wake_first(). One who gives up need not: if it was first, the answer was no, and it is no for its successor. */
class WaitingLine {
  public:
    /* Waits until the caller is first in line and ready(). Returns false if the deadline passed before. */
    template <typename Ready>
    bool wait(std::unique_lock<std::mutex> &lock, const Deadline &deadline, Ready ready) {
        if (sleepers_.empty() && ready()) return true;
        Place place(sleepers_);
        bool in_time = true;
        while (!(place.is_first() && ready())) {
            if (!in_time) return false;
            in_time = place.condition().wait_until(lock, deadline);
        }
        return true;
    }

    void wake_first() {
        if (!sleepers_.empty()) sleepers_.front().notify_one();
    }

  private:
    using Sleepers = std::list<MonotonicCondition>;

    /* One thread's place, held as long as it waits. */
    class Place {
      public:
        explicit Place(Sleepers &sleepers) : sleepers_(sleepers), self_(sleepers.emplace(sleepers.end())) {}
        ~Place() { sleepers_.erase(self_); }
        Place(const Place &) = delete;
        Place &operator=(const Place &) = delete;
        bool is_first() const { return self_ == sleepers_.begin(); }
        MonotonicCondition &condition() { return *self_; }

      private:
        Sleepers &sleepers_;
        Sleepers::iterator self_;
    };

    Sleepers sleepers_;
};

}  // namespace ezr

#endif
