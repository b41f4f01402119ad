/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper: a small process between the program and its device process, and the device's parent.
 *
 * A device process must not be a child of the program: wait() would return it, and SIGCHLD report it. Nor may it be
 * orphaned on purpose: if the program is process 1 of a container, or a subreaper, it would become the program's child
 * again, and process 1 of many containers never collects a child. So its parent is a process that the program makes
 * with clone(2) and no exit signal, which wait() does not see. That process collects the device, and kills it when the
 * program is gone for any reason, even while the device is stopped. It holds neither memory nor descriptors of the
 * program. */
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "rknnrt/base/file_descriptor.h"

namespace ez_rknn::rknnrt::simulated {

class KeptProcess {
  public:
    /* The only descriptors of the process besides /dev/null as its standard input. */
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
    /* Waits until it has exited by itself, kills it after `grace_ms`, and collects it. A second call does nothing. Not
     * thread-safe. */
    void end(int grace_ms) noexcept;
    /* Says how it ended, as in "was killed by signal 9"; after end(). */
    std::string ending() const;

  private:
    void launch(std::vector<std::string> &command, std::vector<std::string> &environment, Descriptors descriptors);
    bool await_end(int timeout_ms) noexcept;

    FileDescriptor lifeline_; /* to the keeper, which kills the device when it breaks, and reports its end */
    pid_t keeper_ = 0;
    pid_t pid_ = 0;
    std::optional<int> status_; /* of wait() */
};

}  // namespace ez_rknn::rknnrt::simulated
