#include "device_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bytes.h"
#include "log.h"
#include "rknn_abi.h"
#include "status.h"
#include "wait.h"

extern char **environ;

namespace ez_rknn::simulator {

namespace {

constexpr int control_fd_in_child = 3;
constexpr uint32_t greeting_magic = 0x5A455A45;
constexpr uint32_t protocol = 3;
constexpr int greeting_timeout_ms = 60000; /* a cold import of a Python package on a slow disk */
constexpr int64_t farewell_ns = 2000000000;
constexpr size_t most_last_words = 2000;

/* posix_spawn's two lists of things to do, destroyed with the scope. */
struct SpawnActions {
    posix_spawn_file_actions_t value;
    SpawnActions() { posix_spawn_file_actions_init(&value); }
    ~SpawnActions() { posix_spawn_file_actions_destroy(&value); }
    SpawnActions(const SpawnActions &) = delete;
    SpawnActions &operator=(const SpawnActions &) = delete;
};
struct SpawnAttributes {
    posix_spawnattr_t value;
    SpawnAttributes() {
        posix_spawnattr_init(&value);
        sigset_t none;
        sigemptyset(&none);
        posix_spawnattr_setsigmask(&value, &none);
        sigset_t defaults;
        sigemptyset(&defaults);
        for (int number : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD, SIGHUP}) sigaddset(&defaults, number);
        posix_spawnattr_setsigdefault(&value, &defaults);
        // A group of its own: an interrupt typed at the terminal is the program's affair, not the device's.
        posix_spawnattr_setpgroup(&value, 0);
        posix_spawnattr_setflags(&value, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    ~SpawnAttributes() { posix_spawnattr_destroy(&value); }
    SpawnAttributes(const SpawnAttributes &) = delete;
    SpawnAttributes &operator=(const SpawnAttributes &) = delete;
};

void add_counts(Request &request, const OperatorPlacement &placement) {
    request.u32(static_cast<uint32_t>(placement.inputs.size())).u32(static_cast<uint32_t>(placement.outputs.size()));
}

void add_places(Request &request, const OperatorPlacement &placement) {
    for (const auto *places : {&placement.inputs, &placement.outputs}) {
        for (const Place &place : *places) request.u64(place.offset).u64(place.size);
    }
}

std::string ending(int status) {
    if (WIFSIGNALED(status)) return text_of("was killed by signal ", WTERMSIG(status));
    if (WIFEXITED(status)) return text_of("ended with status ", WEXITSTATUS(status));
    return "ended";
}

}  // namespace

DeviceProcess::DeviceProcess(const std::string &interpreter)
    : errors_(FileDescriptor::memory("ez_rknn_device_stderr", 0)) {
    auto [near, far] = DeviceSocket::pair();
    control_ = std::move(near);
    spawn(interpreter, far);
    far.close();  // so that the connection breaks when the process ends
    const auto greeting = control_.receive(greeting_timeout_ms);
    if (!greeting) {
        const bool silent = control_.connected();
        bury();
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process (", interpreter, " -m ez_rknn_async.simulator) ",
             silent ? text_of("said nothing for ", greeting_timeout_ms / 1000, " s")
                    : ending(exit_status_) + " before it was ready",
             last_words());
    }
    const Bytes bytes(greeting->data(), greeting->size());
    if (bytes.size() < 8 || bytes.u32(0, "greeting") != greeting_magic || bytes.u32(4, "greeting") != protocol) {
        bury();
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process speaks another protocol: ", interpreter,
             " has another version of ez_rknn_async");
    }
    log_info(text_of("device process ", pid_, " started: ", interpreter, " -m ez_rknn_async.simulator"));
}

DeviceProcess::~DeviceProcess() {
    bury();
}

void DeviceProcess::spawn(const std::string &interpreter, const FileDescriptor &control_end) {
    // Out of the way of the numbers that the child gets: dup2 onto itself would leave close-on-exec set.
    const FileDescriptor control(fcntl(control_end.get(), F_DUPFD_CLOEXEC, 10));
    const FileDescriptor errors(fcntl(errors_.get(), F_DUPFD_CLOEXEC, 10));
    SpawnActions actions;
    posix_spawn_file_actions_addopen(&actions.value, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions.value, errors.get(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions.value, errors.get(), STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions.value, control.get(), control_fd_in_child);
    const SpawnAttributes attributes;
    std::vector<std::string> words = {interpreter, "-m", "ez_rknn_async.simulator", "--control-fd",
                                      std::to_string(control_fd_in_child)};
    std::vector<char *> arguments;
    for (std::string &word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int error = posix_spawnp(&pid_, arguments[0], &actions.value, &attributes.value, arguments.data(), environ);
    if (error != 0) {
        buried_ = true;
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "cannot start '", interpreter, "': ", std::strerror(error));
    }
}

bool DeviceProcess::alive() const {
    return !lost_ && control_.connected();
}

void DeviceProcess::control_request(const Request &request) {
    std::optional<Reply> reply;
    {
        const std::lock_guard<std::mutex> lock(control_mutex_);
        reply = control_.request(request);
    }
    if (!reply) fail_as_lost();
    if (reply->status != RKNN_SUCC) fail(reply->status, reply->text);
}

void DeviceProcess::load(uint32_t model, uint32_t master, const FileDescriptor &file) {
    control_request(Request(Opcode::load).u32(model).u32(master).descriptor(file.get()));
}

DeviceSocket DeviceProcess::attach(uint32_t model, const std::vector<GraphPlacement> &graphs,
                                   const FileDescriptor &memory) {
    auto [near, far] = DeviceSocket::pair();
    Request request(Opcode::attach);
    request.u32(model).u32(static_cast<uint32_t>(graphs.size()));
    for (const GraphPlacement &graph : graphs) {
        add_counts(request, graph);
        request.u32(static_cast<uint32_t>(graph.custom_operators.size()));
        add_places(request, graph);
        for (const OperatorPlacement &custom_operator : graph.custom_operators) {
            add_counts(request, custom_operator);
            add_places(request, custom_operator);
        }
    }
    control_request(request.descriptor(far.get()).descriptor(memory.get()));
    return std::move(near);
}

void DeviceProcess::unload(uint32_t model) noexcept {
    try {
        control_request(Request(Opcode::unload).u32(model));
    } catch (const std::exception &error) {
        log_warning(text_of("unloading a model: ", error.what()));
    }
}

void DeviceProcess::fail_as_lost() {
    lost_ = true;
    bury();
    fail(RKNN_ERR_DEVICE_UNAVAILABLE, "the device process (pid ", pid_, ") ", ending(exit_status_),
         "; create the context again to start a new one", last_words());
}

void DeviceProcess::lose() noexcept {
    lost_ = true;
    {
        const std::lock_guard<std::mutex> lock(burial_mutex_);
        if (!buried_) kill(pid_, SIGKILL);
    }
    bury();
}

void DeviceProcess::bury() noexcept {
    const std::lock_guard<std::mutex> lock(burial_mutex_);
    if (buried_) return;
    buried_ = true;
    control_.disconnect();
    // It ends by itself when its connections break; one that does not is ended. ECHILD: the program collects its
    // children itself, and then the pid may already be another process's: it is left alone.
    const int64_t deadline = now_ns() + farewell_ns;
    pid_t collected = 0;
    while ((collected = waitpid(pid_, &exit_status_, WNOHANG)) == 0 && now_ns() < deadline) {
        wait_until_ns(now_ns() + 1000000);
    }
    if (collected == 0) {
        kill(pid_, SIGKILL);
        while (waitpid(pid_, &exit_status_, 0) < 0 && errno == EINTR) {
        }
    }
}

std::string DeviceProcess::last_words() const {
    struct stat file{};
    if (fstat(errors_.get(), &file) != 0 || file.st_size == 0) return "";
    const size_t length = std::min<size_t>(static_cast<size_t>(file.st_size), most_last_words);
    std::string words(length, '\0');
    const ssize_t got = pread(errors_.get(), words.data(), length, file.st_size - static_cast<off_t>(length));
    words.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return "; its last words:\n" + words;
}

}  // namespace ez_rknn::simulator
