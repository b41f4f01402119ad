/* SPDX-License-Identifier: Apache-2.0 */
/* The line in which submitters wait. A thread that enters it holds the mutex until it sleeps, so a test that sees,
 * under the mutex, that a thread has entered knows that it sleeps in its place. */
#include <thread>

#include "engine/waiting_line.h"
#include "tests/check.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::engine;

namespace {

/* A counter of places, and threads in line for them. */
class Ticketed {
  public:
    /* Starts a thread that takes one place, and returns once it waits in line. */
    std::thread enter(int number, Deadline deadline = Deadline::never()) {
        std::thread thread([this, number, deadline] {
            const ez_rknn::Lock lock(mutex_);
            entered_.push_back(number);
            arrived_.notify_one();
            Turn turn{deadline};
            const auto ready = [this] { return places_ > 0; };
            if (line_.wait(mutex_, turn, ready, [this] { return due_; }) != Wake::set) {
                gave_up_.push_back(number);
                return;
            }
            --places_;
            admitted_.push_back(number);
            if (places_ > 0) line_.wake_first();
        });
        const ez_rknn::Lock lock(mutex_);
        while (entered_.empty() || entered_.back() != number) arrived_.wait(mutex_);
        return thread;
    }

    void add_places(int count) {
        const ez_rknn::Lock lock(mutex_);
        places_ += count;
        line_.wake_first();
    }

    /* Adds a place and, before the first thread in line can wake, asks for it as a newcomer. */
    bool newcomer_takes_an_added_place() {
        const ez_rknn::Lock lock(mutex_);
        ++places_;
        line_.wake_first();
        Turn turn{Deadline::in_ms(0)};
        return line_.wait(mutex_, turn, [this] { return places_ > 0; }) == Wake::set;
    }

    /* The last ticket number, and whether all up to a number have left the line. */
    uint64_t last_number() {
        const ez_rknn::Lock lock(mutex_);
        return line_.last_number();
    }
    bool has_passed(uint64_t number) {
        const ez_rknn::Lock lock(mutex_);
        return line_.has_passed(number);
    }

    /* Adds places without a notification: only a thread that checks at that time finds them. */
    void add_places_silently(int count, Deadline due) {
        const ez_rknn::Lock lock(mutex_);
        places_ += count;
        due_ = due;
    }

    /* Waits as a thread that was in line before and has a number. */
    Wake wait_again(Turn &turn) {
        const ez_rknn::Lock lock(mutex_);
        return line_.wait(mutex_, turn, [this] { return places_ > 0; });
    }

    const std::vector<int> &admitted() const { return admitted_; }
    const std::vector<int> &gave_up() const { return gave_up_; }

  private:
    ez_rknn::Mutex mutex_;
    MonotonicCondition arrived_;
    WaitingLine line_;
    int places_ = 0;
    Deadline due_ = Deadline::never();
    std::vector<int> entered_;
    std::vector<int> admitted_;
    std::vector<int> gave_up_;
};

}  // namespace

/* Waiting threads are served in order of arrival, not as the scheduler likes. */
TEST(the_first_in_line_is_served_first) {
    Ticketed ticketed;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) threads.push_back(ticketed.enter(i));
    for (std::thread &thread : threads) {
        ticketed.add_places(1);
        thread.join();
    }
    for (int i = 0; i < 16; ++i) CHECK_EQ(ticketed.admitted().at(i), i);
}

/* Several places that come at once reach as many threads, in order, though one wake-up announces them. */
TEST(several_places_at_once_serve_several) {
    Ticketed ticketed;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) threads.push_back(ticketed.enter(i));
    ticketed.add_places(16);
    for (std::thread &thread : threads) thread.join();
    for (int i = 0; i < 16; ++i) CHECK_EQ(ticketed.admitted().at(i), i);
}

/* A waiter that gives up, at the front or in the middle, takes nothing and holds no one up. */
TEST(a_waiter_that_gives_up_leaves_no_hole) {
    Ticketed ticketed;
    std::vector<std::thread> threads;
    threads.push_back(ticketed.enter(0, Deadline::in_ms(1)));
    threads.push_back(ticketed.enter(1));
    threads.push_back(ticketed.enter(2, Deadline::in_ms(1)));
    threads.push_back(ticketed.enter(3));
    threads[0].join();
    threads[2].join();
    ticketed.add_places(2);
    threads[1].join();
    threads[3].join();
    CHECK(ticketed.admitted() == (std::vector<int>{1, 3}));
    CHECK_EQ(ticketed.gave_up().size(), 2U);
}

/* A newcomer does not overtake waiting threads, not even while the place is free and the first is still waking up. */
TEST(a_newcomer_does_not_overtake) {
    Ticketed ticketed;
    std::thread first = ticketed.enter(0);
    CHECK(!ticketed.newcomer_takes_an_added_place());
    first.join();
    CHECK(ticketed.admitted() == std::vector<int>{0});
}

/* A number has passed when every waiter up to it was served or gave up, whether or not others came later. */
TEST(a_number_passes_with_those_up_to_it) {
    Ticketed ticketed;
    CHECK(ticketed.has_passed(ticketed.last_number()));
    std::thread first = ticketed.enter(0);
    const uint64_t number = ticketed.last_number();
    std::thread second = ticketed.enter(1);
    CHECK(!ticketed.has_passed(number));
    ticketed.add_places(1);
    first.join();
    CHECK(ticketed.has_passed(number));
    CHECK(!ticketed.has_passed(ticketed.last_number()));
    ticketed.add_places(1);
    second.join();
}

/* A waiter that returns to the line with a number is before all who came later: it is served although they wait. */
TEST(a_returning_waiter_keeps_its_place) {
    Ticketed ticketed;
    Turn turn{Deadline::in_ms(0)}, newcomer = turn;
    CHECK(ticketed.wait_again(turn) == Wake::timeout);  // came, got a number, and went
    std::thread later = ticketed.enter(0);
    ticketed.add_places_silently(1, Deadline::never());
    CHECK(ticketed.wait_again(newcomer) == Wake::timeout);
    CHECK(ticketed.wait_again(turn) == Wake::set);
    ticketed.add_places(0);
    later.join();
}

/* Time alone may make it ready; the first in line checks at that time, and if it gave up before, the next one does. */
TEST(the_first_in_line_watches_the_clock) {
    Ticketed ticketed;
    const Deadline due = Deadline::in_ms(100);
    ticketed.add_places_silently(0, due);
    std::thread impatient = ticketed.enter(0, Deadline::in_ms(10));
    std::thread next = ticketed.enter(1);
    impatient.join();
    ticketed.add_places_silently(1, due);
    next.join();
    CHECK(ticketed.gave_up() == std::vector<int>{0});
    CHECK(ticketed.admitted() == std::vector<int>{1});
}
