/* SPDX-License-Identifier: Apache-2.0 */
/* One fault that the settings ask for.
 *
 * Written FUNCTION[@coreN][#WHEN]:ACTION, for example "rknn_run@core1#3:fail=-1":
 *
 *   FUNCTION   a function of the vendor's interface
 *   @coreN     only calls for a context that its core mask ties to that core (others count neither)
 *   #WHEN      #3: the third call; #every3: the third, the sixth, ...; without: every call
 *   ACTION     fail=CODE, delay=MICROSECONDS, hang, or lose (the device is lost)
 *
 * A fault counts the calls that it applies to. Everything here is thread-safe. */
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace ez_rknn::rknnrt {

class Fault {
  public:
    enum class Action { fail, delay, hang, lose };

    /* Fails with RKNN_ERR_PARAM_INVALID, saying what is wrong, for a text that is not a fault. */
    explicit Fault(const std::string &text);
    ~Fault();
    Fault(const Fault &) = delete;
    Fault &operator=(const Fault &) = delete;

    const std::string &text() const { return text_; }
    Action action() const { return action_; }
    int code() const { return code_; }
    int64_t delay_ns() const { return delay_ns_; }
    /* The core that it applies to; nothing: every core. */
    std::optional<uint32_t> core() const { return core_; }

    /* Counts a call of that function for a context on the cores of that mask. True if the fault applies to it. */
    bool is_due(const char *function, uint32_t cores);

    /* True if any fault exists in this process: while none does, a call need not look for one. */
    static bool any() { return alive.load(std::memory_order_relaxed) != 0; }

  private:
    void read_place(const std::string &place);
    void read_when(const std::string &when);
    void read_action(const std::string &action);

    static std::atomic<int> alive;

    std::string text_;
    std::string function_;
    std::optional<uint32_t> core_;
    uint64_t number_ = 1;  /* of the call, counted from 1 ... */
    bool repeated_ = true; /* ... and of its multiples */
    Action action_ = Action::fail;
    int code_ = 0;
    int64_t delay_ns_ = 0;
    std::atomic<uint64_t> calls_{0};
};

}  // namespace ez_rknn::rknnrt
