/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/device_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "rknn_abi.h"
#include "rknnrt/base/bytes.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

constexpr size_t largest_reply = 65536;
constexpr size_t most_descriptors = 2;

}  // namespace

Request &Request::u32(uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<uint8_t>(value >> shift));
    return *this;
}

Request &Request::u64(uint64_t value) {
    return u32(static_cast<uint32_t>(value)).u32(static_cast<uint32_t>(value >> 32));
}

Request &Request::descriptor(int fd) {
    descriptors_.push_back(fd);
    return *this;
}

std::pair<DeviceSocket, FileDescriptor> DeviceSocket::pair() {
    int fds[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        fail(RKNN_ERR_DEVICE_UNAVAILABLE, "cannot make a socket for the device process: ", std::strerror(errno));
    }
    FileDescriptor near(fds[0]);
    FileDescriptor far(fds[1]);
    return {DeviceSocket(std::move(near)), std::move(far)};
}

bool DeviceSocket::send(const Request &request) {
    iovec part{const_cast<uint8_t *>(request.bytes().data()), request.bytes().size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(most_descriptors * sizeof(int))] = {};
    const size_t count = request.descriptors().size();
    if (count != 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        std::memcpy(CMSG_DATA(header), request.descriptors().data(), count * sizeof(int));
    }
    ssize_t sent = 0;
    do {
        sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(request.bytes().size());
}

std::optional<std::vector<uint8_t>> DeviceSocket::receive(int timeout_ms) {
    if (timeout_ms >= 0) {
        pollfd readable{fd_.get(), POLLIN, 0};
        int ready = 0;
        do {
            ready = poll(&readable, 1, timeout_ms);
        } while (ready < 0 && errno == EINTR);
        if (ready <= 0) return std::nullopt;
    }
    std::vector<uint8_t> packet(largest_reply);
    ssize_t received = 0;
    do {
        received = recv(fd_.get(), packet.data(), packet.size(), 0);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) return std::nullopt;
    packet.resize(static_cast<size_t>(received));
    return packet;
}

std::optional<Reply> DeviceSocket::request(const Request &request) {
    if (!fd_ || !send(request)) return std::nullopt;
    const std::optional<std::vector<uint8_t>> packet = receive(-1);
    if (!packet || packet->size() < sizeof(int32_t)) return std::nullopt;
    Reply reply;
    reply.status = Bytes(packet->data(), packet->size()).i32(0, "reply");
    reply.text.assign(packet->begin() + sizeof(int32_t), packet->end());
    return reply;
}

void DeviceSocket::disconnect() const {
    shutdown(fd_.get(), SHUT_RDWR);
}

bool DeviceSocket::connected() const {
    pollfd state{fd_.get(), POLLIN, 0};
    if (poll(&state, 1, 0) <= 0) return true;
    if ((state.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return false;
    char byte = 0;
    return recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

}  // namespace ez_rknn::rknnrt::simulated
