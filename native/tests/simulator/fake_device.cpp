/* SPDX-License-Identifier: Apache-2.0 */
/* A device process that speaks the protocol but computes only a pattern: in each stage, each output byte is the first
 * input's first byte plus the number of the output. Started in place of Python (EZ_RKNN_PYTHON); the environment
 * variable EZ_RKNN_FAKE_DEVICE makes it misbehave:
 *
 *   die_at_start    writes to stderr and exits before the greeting
 *   refuse_start    sends a reason for its refusal instead of the greeting
 *   other_protocol  greets with another version
 *   other_program   writes something else
 *   refuse_load     answers every load with RKNN_ERR_MODEL_INVALID
 *   append_to_file  appends a byte to the file that it is asked to load
 *   die_in_load     kills itself when it is asked to load
 *   die_in_run      kills itself when it is asked to run
 *   fail_run        answers every run with RKNN_ERR_FAIL
 *   close_channel   closes the context's channel instead of answering a run, and lives on
 *   echo            fills each output with the bytes of the input with its number (or of the last one), repeated */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "rknn_abi.h"

namespace {

constexpr int control_fd = 3;

struct Place {
    uint64_t offset;
    uint64_t size;
};
struct Tensors {
    std::vector<Place> inputs;
    std::vector<Place> outputs;
};
struct Graph : Tensors {
    std::vector<Tensors> custom_operators;
};
struct Channel {
    uint8_t *memory = nullptr;
    std::vector<Graph> graphs;
};

std::string mode() {
    const char *value = std::getenv("EZ_RKNN_FAKE_DEVICE");
    return value == nullptr ? "" : value;
}

/* Reads a packet's fields in sequence. */
class Fields {
  public:
    explicit Fields(const std::vector<uint8_t> &bytes) : bytes_(bytes) {}
    uint32_t u32() { return static_cast<uint32_t>(number(4)); }
    uint64_t u64() { return number(8); }

  private:
    uint64_t number(size_t size) {
        uint64_t value = 0;
        for (size_t i = 0; i < size; ++i) value |= static_cast<uint64_t>(bytes_.at(at_++)) << (8 * i);
        return value;
    }
    const std::vector<uint8_t> &bytes_;
    size_t at_ = 0;
};

/* Returns false when the host is gone. */
bool receive(int socket, std::vector<uint8_t> &packet, std::vector<int> &descriptors) {
    packet.resize(65536);
    descriptors.clear();
    iovec part{packet.data(), packet.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(socket, &message, 0);
    if (size <= 0) return false;
    packet.resize(static_cast<size_t>(size));
    if (const cmsghdr *header = CMSG_FIRSTHDR(&message)) {
        descriptors.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(descriptors.data(), CMSG_DATA(header), descriptors.size() * sizeof(int));
    }
    return true;
}

void reply(int socket, int32_t status, const std::string &text = "") {
    std::string packet(sizeof status, '\0');
    std::memcpy(packet.data(), &status, sizeof status);
    packet += text;
    send(socket, packet.data(), packet.size(), MSG_NOSIGNAL);
}

void read_places(Fields &fields, uint32_t inputs, uint32_t outputs, Tensors &tensors) {
    for (auto [count, places] : {std::pair(inputs, &tensors.inputs), std::pair(outputs, &tensors.outputs)}) {
        places->resize(count);
        for (Place &place : *places) place = {fields.u64(), fields.u64()};
    }
}

Graph read_graph(Fields &fields) {
    Graph graph;
    const uint32_t inputs = fields.u32();
    const uint32_t outputs = fields.u32();
    graph.custom_operators.resize(fields.u32());
    read_places(fields, inputs, outputs, graph);
    for (Tensors &custom_operator : graph.custom_operators) {
        const uint32_t operands = fields.u32();
        const uint32_t results = fields.u32();
        read_places(fields, operands, results, custom_operator);
    }
    return graph;
}

Channel read_attachment(Fields &fields, int memory) {
    Channel channel;
    struct stat file{};
    fstat(memory, &file);
    channel.memory = static_cast<uint8_t *>(
        mmap(nullptr, static_cast<size_t>(file.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0));
    close(memory);
    fields.u32();  // the model
    const uint32_t graphs = fields.u32();
    for (uint32_t graph = 0; graph < graphs; ++graph) {
        channel.graphs.push_back(read_graph(fields));
    }
    return channel;
}

void echo(const Channel &channel, const std::vector<Place> &inputs, const std::vector<Place> &outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
        const Place &to = outputs[i];
        const Place &from = inputs[std::min(i, inputs.size() - 1)];
        for (uint64_t at = 0; at < to.size; at += from.size) {
            std::memcpy(channel.memory + to.offset + at, channel.memory + from.offset,
                        std::min(from.size, to.size - at));
        }
    }
}

/* Computes a stage's results: the inputs of a custom operator, or the outputs of the graph. */
void compute(const Channel &channel, const Graph &graph, uint32_t stage) {
    const std::vector<Place> &from = stage == 0 ? graph.inputs : graph.custom_operators.at(stage - 1).outputs;
    const bool last = stage == graph.custom_operators.size();
    const std::vector<Place> &to = last ? graph.outputs : graph.custom_operators.at(stage).inputs;
    if (mode() == "echo") return echo(channel, from, to);
    const uint8_t first = channel.memory[from[0].offset];
    for (size_t i = 0; i < to.size(); ++i) {
        std::memset(channel.memory + to[i].offset, static_cast<int>(first + i), to[i].size);
    }
}

/* The loaded models, and the models whose weights they use. */
std::map<uint32_t, uint32_t> masters;

void on_load(uint32_t model, uint32_t master) {
    if (mode() == "die_in_load") raise(SIGKILL);
    if (mode() == "refuse_load") return reply(control_fd, RKNN_ERR_MODEL_INVALID, "cannot execute Frobnicate");
    for (uint32_t lender = master; lender != 0; lender = masters[lender]) {
        if (masters.count(lender) == 0) {
            return reply(control_fd, RKNN_ERR_CTX_INVALID, "model " + std::to_string(lender) + " is not loaded");
        }
    }
    masters[model] = master;
    reply(control_fd, RKNN_SUCC, "");
}

void append_to(int descriptor) {
    const int file = open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_WRONLY | O_APPEND);
    if (write(file, "", 1) != 1) std::abort();
    close(file);
}

void on_control(Fields &fields, const std::vector<int> &descriptors, std::map<int, Channel> &channels) {
    switch (fields.u32()) {
        case 1: {
            if (mode() == "append_to_file") append_to(descriptors.at(0));
            for (int descriptor : descriptors) close(descriptor);
            const uint32_t model = fields.u32();
            return on_load(model, fields.u32());
        }
        case 2:
            channels[descriptors.at(0)] = read_attachment(fields, descriptors.at(1));
            break;
        case 3:
            masters.erase(fields.u32());
            break;
        default:
            break;
    }
    reply(control_fd, RKNN_SUCC);
}

/* Returns false when the channel must be closed. */
bool on_run(int socket, Fields &fields, const Channel &channel) {
    if (mode() == "die_in_run") raise(SIGKILL);
    if (mode() == "close_channel") return false;
    if (mode() == "fail_run") {
        reply(socket, RKNN_ERR_FAIL, "the arithmetic went wrong");
        return true;
    }
    fields.u32();
    const Graph &graph = channel.graphs.at(fields.u32());
    compute(channel, graph, fields.u32());
    reply(socket, RKNN_SUCC);
    return true;
}

}  // namespace

int main() {
    if (mode() == "die_at_start") {
        std::fputs("No module named ez_rknn_async\n", stderr);
        return 1;
    }
    if (mode() == "refuse_start") {
        reply(control_fd, RKNN_ERR_DEVICE_UNAVAILABLE, "it computes with frobnicate");
        return 1;
    }
    if (mode() == "other_program") send(control_fd, "login: ", 7, MSG_NOSIGNAL);
    const uint32_t greeting[2] = {0x5A455A45, mode() == "other_protocol" ? 99U : 3U};
    send(control_fd, greeting, sizeof greeting, MSG_NOSIGNAL);
    std::map<int, Channel> channels;
    std::vector<uint8_t> packet;
    std::vector<int> descriptors;
    for (;;) {
        std::vector<pollfd> sockets = {{control_fd, POLLIN, 0}};
        for (const auto &[socket, channel] : channels) sockets.push_back({socket, POLLIN, 0});
        poll(sockets.data(), sockets.size(), -1);
        for (const pollfd &ready : sockets) {
            if (ready.revents == 0) continue;
            const bool open = receive(ready.fd, packet, descriptors);
            if (!open && ready.fd == control_fd) return 0;
            Fields fields(packet);
            if (ready.fd == control_fd) {
                on_control(fields, descriptors, channels);
            } else if (!open || !on_run(ready.fd, fields, channels.at(ready.fd))) {
                close(ready.fd);
                channels.erase(ready.fd);
            }
        }
    }
}
