/* SPDX-License-Identifier: Apache-2.0 */
/* Core arbitration: one task at a time, first come first served, several cores at once without deadlock. */
#include <atomic>
#include <thread>
#include <vector>

#include "devices/simulated/board.h"
#include "tests/check.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

namespace {

const Soc &rk3588() {
    return *find_soc("rk3588");
}

/* The number of tasks on each core, checked at every change. */
class Occupancy {
  public:
    void enter(uint32_t mask) {
        for (uint32_t core = 0; core < 3; ++core) {
            if ((mask >> core & 1U) != 0) CHECK_EQ(tasks_[core]++, 0);
        }
    }
    void leave(uint32_t mask) {
        for (uint32_t core = 0; core < 3; ++core) {
            if ((mask >> core & 1U) != 0) --tasks_[core];
        }
    }

  private:
    std::atomic<int> tasks_[3] = {};
};

void wait_for_line(const Board &board, uint32_t core, size_t length) {
    while (board.line_length(core) != length) std::this_thread::yield();
}

}  // namespace

TEST(auto_takes_idle_cores_then_the_shortest_line) {
    Board board(rk3588());
    const Board::Lease first = board.acquire(0);
    const Board::Lease second = board.acquire(0);
    const Board::Lease third = board.acquire(4);
    CHECK_EQ(first.mask(), 1U);
    CHECK_EQ(second.mask(), 2U);
    CHECK_EQ(third.core_count(), 1U);
    CHECK_EQ(third.first_core(), 2U);
}

TEST(auto_joins_the_shortest_line_when_no_core_is_idle) {
    Board board(rk3588());
    std::thread at_zero;
    std::thread waiting;
    uint32_t chosen = 0;
    {
        const Board::Lease zero = board.acquire(1);
        const Board::Lease one = board.acquire(2);
        const Board::Lease two = board.acquire(4);
        at_zero = std::thread([&] { board.acquire(1); });
        wait_for_line(board, 0, 2);
        waiting = std::thread([&] { chosen = board.acquire(0).mask(); });
        wait_for_line(board, 1, 2);
        CHECK_EQ(board.line_length(2), 1U);
    }
    at_zero.join();
    waiting.join();
    CHECK_EQ(chosen, 2U);
}

TEST(a_core_serves_in_the_order_of_arrival) {
    Board board(rk3588());
    std::vector<int> order;  // guarded by the core itself: one task at a time
    std::vector<std::thread> threads;
    {
        const Board::Lease held = board.acquire(1);
        for (int i = 0; i < 5; ++i) {
            threads.emplace_back([&board, &order, i] {
                const Board::Lease lease = board.acquire(1);
                order.push_back(i);
            });
            wait_for_line(board, 0, static_cast<size_t>(i) + 2);
        }
    }
    for (std::thread &thread : threads) thread.join();
    CHECK(order == (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(a_task_on_several_cores_waits_for_all_of_them) {
    Board board(rk3588());
    std::atomic<bool> ran{false};
    std::thread together;
    {
        const Board::Lease one = board.acquire(2);
        together = std::thread([&] {
            const Board::Lease all = board.acquire(7);
            CHECK_EQ(all.core_count(), 3U);
            ran = true;
        });
        wait_for_line(board, 1, 2);
        CHECK_EQ(board.line_length(0), 1U);  // it already holds the idle cores' lines
        CHECK(!ran);
    }
    together.join();
    CHECK(ran);
}

TEST(a_task_that_waited_begins_when_the_one_before_it_ended) {
    Board board(rk3588());
    std::thread waiting;
    int64_t start = 0;
    int64_t end = 0;
    {
        Board::Lease held = board.acquire(1);
        waiting = std::thread([&] { start = board.acquire(1).start_ns(); });
        wait_for_line(board, 0, 2);
        end = held.start_ns() + 3600000000000;  // an hour: as if the thread were woken an hour too early
        held.set_end(end);
    }
    waiting.join();
    CHECK_EQ(start, end);
    CHECK(board.acquire(2).start_ns() < end);  // another core is unaffected
}

TEST(any_mixture_of_masks_ends_and_no_core_ever_has_two_tasks) {
    Board board(rk3588());
    Occupancy occupancy;
    std::vector<std::thread> threads;
    constexpr uint64_t rounds = 500;
    for (const uint32_t mask : {0U, 1U, 2U, 4U, 3U, 7U, 0U, 7U}) {
        threads.emplace_back([&, mask] {
            for (uint64_t round = 0; round < rounds; ++round) {
                Board::Lease lease = board.acquire(mask);
                occupancy.enter(lease.mask());
                lease.set_end(lease.start_ns() + 1);
                occupancy.leave(lease.mask());
            }
        });
    }
    for (std::thread &thread : threads) thread.join();
    // Five threads with tasks of one core, one of two, two of three: a task counts once at each of its cores.
    uint64_t runs = 0;
    int64_t busy = 0;
    for (uint32_t core = 0; core < 3; ++core) {
        runs += board.counters(core).runs;
        busy += board.counters(core).busy_ns;
    }
    CHECK_EQ(runs, rounds * (5 + 2 + 3 + 3));
    CHECK_EQ(busy, static_cast<int64_t>(runs));
    board.reset_counters();
    CHECK_EQ(board.counters(0).runs, 0U);
}
