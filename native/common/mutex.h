/* SPDX-License-Identifier: Apache-2.0 */
/* A mutex that the compiler checks: clang's -Wthread-safety (make lint-native) finds data accessed without it.
 *
 * A member says EZ_RKNN_GUARDED_BY(mutex_), a function that is called with the mutex held EZ_RKNN_REQUIRES(mutex_).
 * Other compilers ignore these. A lambda is a function of its own: one that is called with the mutex held begins with
 * mutex_.assert_held(). */
#pragma once

#include <mutex>

#if defined(__clang__)
#define EZ_RKNN_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define EZ_RKNN_THREAD_ANNOTATION(x)
#endif

#define EZ_RKNN_CAPABILITY(name) EZ_RKNN_THREAD_ANNOTATION(capability(name))
#define EZ_RKNN_SCOPED_CAPABILITY EZ_RKNN_THREAD_ANNOTATION(scoped_lockable)
#define EZ_RKNN_GUARDED_BY(mutex) EZ_RKNN_THREAD_ANNOTATION(guarded_by(mutex))
#define EZ_RKNN_REQUIRES(...) EZ_RKNN_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define EZ_RKNN_ACQUIRE(...) EZ_RKNN_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define EZ_RKNN_RELEASE(...) EZ_RKNN_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define EZ_RKNN_TRY_ACQUIRE(...) EZ_RKNN_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))
#define EZ_RKNN_ASSERT_HELD(...) EZ_RKNN_THREAD_ANNOTATION(assert_capability(__VA_ARGS__))
/* For functions that the analysis cannot follow; a comment says why they are right. */
#define EZ_RKNN_UNANALYSED EZ_RKNN_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace ez_rknn {

class EZ_RKNN_CAPABILITY("mutex") Mutex {
  public:
    Mutex() = default;
    Mutex(const Mutex &) = delete;
    Mutex &operator=(const Mutex &) = delete;

    void lock() EZ_RKNN_ACQUIRE() { mutex_.lock(); }
    void unlock() EZ_RKNN_RELEASE() { mutex_.unlock(); }
    bool try_lock() EZ_RKNN_TRY_ACQUIRE(true) { return mutex_.try_lock(); }
    /* Tells the analysis, and the reader, that the calling thread holds it. */
    void assert_held() const EZ_RKNN_ASSERT_HELD() {}

    /* For condition variables. */
    std::mutex &native() { return mutex_; }

  private:
    std::mutex mutex_;
};

/* Holds a mutex for a block. */
class EZ_RKNN_SCOPED_CAPABILITY Lock {
  public:
    explicit Lock(Mutex &mutex) EZ_RKNN_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~Lock() EZ_RKNN_RELEASE() { mutex_.unlock(); }
    Lock(const Lock &) = delete;
    Lock &operator=(const Lock &) = delete;

  private:
    Mutex &mutex_;
};

}  // namespace ez_rknn
