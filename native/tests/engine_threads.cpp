/* SPDX-License-Identifier: Apache-2.0 */
/* Counting the threads of this process that belong to an engine. */
#include <dirent.h>

#include <cstdio>
#include <string>
#include <thread>

#include "tests/fake_runtime.h"

namespace ez_rknn::tests {

int engine_threads() {
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    while (const dirent *task = readdir(tasks)) {
        if (task->d_name[0] == '.') continue;
        char name[32] = "";
        if (FILE *file = std::fopen((std::string("/proc/self/task/") + task->d_name + "/comm").c_str(), "r")) {
            if (std::fgets(name, sizeof name, file) && std::string(name).rfind("ezr-", 0) == 0) ++count;
            std::fclose(file);
        }
    }
    closedir(tasks);
    return count;
}

void wait_until_no_engine_threads() {
    while (engine_threads() > 0) std::this_thread::yield();
}

}  // namespace ez_rknn::tests
