/* The keeper: a small process between the program and its device process, whose parent it is.
 *
 * A device process must be no child of the program: wait() would meet it, SIGCHLD would tell of it. Nor may it be
 * orphaned on purpose: where the program is process 1 of a container, or a subreaper, it would be the program's child
 * again, and process 1 of many containers never collects a child. So its parent is a process that the program makes
 * with clone(2) and no exit signal, which wait() does not see. That process collects the device, and ends it when the
 * program is gone, however that came about and even while the device is stopped. It holds neither memory nor
 * descriptors of the program. */
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "rknnrt/base/file_descriptor.h"

namespace ez_rknn::rknnrt::simulated {

class KeptProcess {
  public:
    /* What the process is given besides /dev/null as its standard input, and nothing else. */
    struct Descriptors {
        int output;  /* as descriptors 1 and 2 */
        int control; /* as descriptor 3 */
    };

    /* Starts command[0], a path, in a session of its own, with the default handling of every signal. */
    KeptProcess(std::vector<std::string> command, std::vector<std::string> environment, Descriptors descriptors);
    ~KeptProcess() { end(0); }
    KeptProcess(const KeptProcess &) = delete;
    KeptProcess &operator=(const KeptProcess &) = delete;

    pid_t pid() const { return pid_; }
    /* Waits until it has ended by itself, kills it after `patience_ms`, and leaves nothing behind. The second call does
     * nothing. Not thread-safe. */
    void end(int patience_ms) noexcept;
    /* How it ended, as in "was killed by signal 9"; after end(). */
    std::string ending() const;

  private:
    void launch(std::vector<std::string> &command, std::vector<std::string> &environment, Descriptors descriptors);
    bool await_end(int timeout_ms) noexcept;

    FileDescriptor lifeline_; /* to the keeper, which ends the device when it breaks, and tells how the device ended */
    pid_t keeper_ = 0;
    pid_t pid_ = 0;
    std::optional<int> status_; /* of wait() */
};

}  // namespace ez_rknn::rknnrt::simulated
