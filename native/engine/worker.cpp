/* The threads of the engine: as many in each group as it has contexts. */
#include <pthread.h>
#include <signal.h>

#include <cstdio>

#include "engine.h"

namespace ezr {
namespace {

/* Blocks every signal for the calling thread as long as it lives; threads started meanwhile inherit that for good. The
 * host's handlers then run on the host's own threads, and never interrupt a call into the driver. */
class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &previous_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
    SignalsBlocked(const SignalsBlocked &) = delete;
    SignalsBlocked &operator=(const SignalsBlocked &) = delete;

  private:
    sigset_t previous_;
};

/* What top and perf show, such as "ezr-g2-1" for the second thread of group 2. */
void name_this_thread(uint32_t group, uint32_t thread) {
    char name[32];
    std::snprintf(name, sizeof name, "ezr-g%u-%u", group, thread);
    name[15] = '\0';  // the kernel refuses a longer one
    pthread_setname_np(pthread_self(), name);
}

}  // namespace

void Engine::start_threads() {
    const SignalsBlocked signals_blocked;
    threads_.reserve(workers_.size());
    try {
        for (uint32_t group = 0; group < groups_.size(); ++group) {
            for (uint32_t thread = 0; thread < groups_[group].worker_count(); ++thread) {
                threads_.emplace_back([this, group, thread] { work(group, thread); });
            }
        }
    } catch (...) {
        close(true);
        join_threads();
        throw;
    }
}

void Engine::join_threads() {
    for (std::thread &thread : threads_) thread.join();
}

void Engine::work(uint32_t group_index, uint32_t thread_index) {
    name_this_thread(group_index, thread_index);
    Group &group = groups_[group_index];
    Lock lock(mutex_);
    while (wait_for_work(lock, group)) {
        TaskList task;
        group.dequeue(task);
        if (Caller *caller = task.front().caller) caller->taken_up = true;
        after_leaving_queue(group);
        run_on_context(lock, task.front(), group);
        deliver(task);
    }
}

bool Engine::wait_for_work(Lock &lock, Group &group) {
    while (!group.can_start()) {
        if (closed_ && group.is_empty()) return false;
        group.work.wait(lock);
    }
    return true;
}

}  // namespace ezr
