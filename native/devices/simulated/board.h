/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated cores of an SoC and the lines of tasks waiting for them.
 *
 * There is one board for each SoC in a process, shared by all its contexts. A core runs one task at a time, first come,
 * first served; a task that needs several cores waits until it is first in line at each of them. */
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "common/mutex.h"
#include "devices/simulated/sram.h"
#include "rknnrt/device/soc.h"

namespace ez_rknn::rknnrt::simulated {

/* A core's counters. */
struct CoreCounters {
    uint64_t runs = 0;
    int64_t busy_ns = 0;
};

class Board {
  public:
    explicit Board(const Soc &soc);

    class Lease;
    /* Waits for all cores of `mask`; 0 means any one core: an idle one, else the one with the shortest line. */
    Lease acquire(uint32_t mask);

    CoreCounters counters(uint32_t core) const;
    void reset_counters();

    Sram &sram() { return sram_; }
    /* Tasks at one core: the running one and those that wait for it. */
    size_t line_length(uint32_t core) const;

  private:
    struct Ticket {
        uint32_t mask = 0;
        std::condition_variable ready;
    };
    struct Core {
        std::deque<Ticket *> line; /* the first one runs */
        int64_t free_since_ns = 0; /* when the last task ended */
        CoreCounters counters;
    };

    uint32_t choose_core() const EZ_RKNN_REQUIRES(mutex_);
    bool is_first(const Ticket &ticket) const EZ_RKNN_REQUIRES(mutex_);
    uint32_t busy_cores() const EZ_RKNN_REQUIRES(mutex_);
    int64_t free_since(const Ticket &ticket) const EZ_RKNN_REQUIRES(mutex_);
    void release(Ticket &ticket, int64_t start_ns, int64_t end_ns);

    Sram sram_;
    mutable Mutex mutex_; /* all lines are joined under it */
    std::vector<Core> cores_ EZ_RKNN_GUARDED_BY(mutex_);
};

/* Cores held by one task, given back when it goes out of scope.
 *
 * A task begins when it arrives or, if it had to wait, when the cores' last task ended by the model. That the waiting
 * thread wakes some microseconds later does not slow the simulated cores. */
class Board::Lease {
  public:
    ~Lease();
    Lease(const Lease &) = delete;
    Lease &operator=(const Lease &) = delete;

    uint32_t mask() const { return ticket_.mask; }
    uint32_t first_core() const;
    uint32_t core_count() const;
    /* Cores busy when this task began, its own included: they compete for the memory. */
    uint32_t busy_cores() const { return busy_cores_; }
    int64_t start_ns() const { return start_ns_; }
    /* Sets the task's modelled end; until then it takes no time. */
    void set_end(int64_t end_ns) { end_ns_ = end_ns; }

  private:
    friend class Board;
    Lease(Board &board, uint32_t mask);

    Board &board_;
    Ticket ticket_;
    uint32_t busy_cores_ = 1;
    int64_t start_ns_ = 0;
    int64_t end_ns_ = 0;
};

/* One board for each SoC. */
class Boards {
  public:
    Board &of(const Soc &soc);
    void reset_counters();

  private:
    Mutex mutex_; /* boards themselves are thread-safe and do not move */
    std::map<const Soc *, std::unique_ptr<Board>> boards_ EZ_RKNN_GUARDED_BY(mutex_);
};

}  // namespace ez_rknn::rknnrt::simulated
