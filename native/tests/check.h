/* SPDX-License-Identifier: Apache-2.0 */
/* A one-page test harness: TEST registers, CHECK and CHECK_EQ report and continue, run_all_tests() is the main program.
 */
#pragma once

#include <atomic>
#include <cstdio>
#include <exception>
#include <sstream>
#include <string>
#include <vector>

namespace ez_rknn::tests::check {

struct Test {
    const char *name;
    void (*body)();
};

inline std::vector<Test> &tests() {
    static std::vector<Test> registered;
    return registered;
}

/* Checks may fail on any thread of a test. */
inline std::atomic<int> failures{0};

struct Registration {
    Registration(const char *name, void (*body)()) { tests().push_back({name, body}); }
};

inline void fail(const char *file, int line, const std::string &what) {
    ++failures;
    std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

template <typename Left, typename Right>
void equal(const Left &left, const Right &right, const char *text, const char *file, int line) {
    if (left == right) return;
    std::ostringstream what;
    what << text << ": " << left << " is not " << right;
    fail(file, line, what.str());
}

/* Runs the tests whose names contain `filter`; returns the number of those that failed. */
inline int run_all_tests(const std::string &filter) {
    int failed = 0;
    for (const Test &test : tests()) {
        if (std::string(test.name).find(filter) == std::string::npos) continue;
        const int before = failures;
        try {
            test.body();
        } catch (const std::exception &error) {
            fail(test.name, 0, std::string("ended with an exception: ") + error.what());
        }
        const bool passed = failures == before;
        if (!passed) ++failed;
        std::printf("%s %s\n", passed ? "ok    " : "FAILED", test.name);
        std::fflush(stdout);
    }
    return failed;
}

}  // namespace ez_rknn::tests::check

#define TEST(name)                                                                   \
    static void name();                                                              \
    static const ez_rknn::tests::check::Registration registered_##name(#name, name); \
    static void name()

#define CHECK(condition) ((condition) ? (void)0 : ez_rknn::tests::check::fail(__FILE__, __LINE__, #condition))
#define CHECK_EQ(left, right) ez_rknn::tests::check::equal((left), (right), #left " == " #right, __FILE__, __LINE__)
