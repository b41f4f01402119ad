/* SPDX-License-Identifier: Apache-2.0 */
/* Packets to and from the device process (docs/explanation/device-process.md). */
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "rknnrt/base/file_descriptor.h"

namespace ez_rknn::rknnrt::simulated {

enum class Opcode : uint32_t { load = 1, attach = 2, unload = 3, run = 16 };

/* A request under construction; integers are little-endian on the wire. */
class Request {
  public:
    explicit Request(Opcode opcode) { u32(static_cast<uint32_t>(opcode)); }
    Request &u32(uint32_t value);
    Request &u64(uint64_t value);
    /* The descriptor travels along; it must stay open until the request is sent. */
    Request &descriptor(int fd);

    const std::vector<uint8_t> &bytes() const { return bytes_; }
    const std::vector<int> &descriptors() const { return descriptors_; }

  private:
    std::vector<uint8_t> bytes_;
    std::vector<int> descriptors_;
};

struct Reply {
    int32_t status = 0;
    std::string text;
};

/* One end of a SOCK_SEQPACKET connection. Not thread-safe: one request at a time. */
class DeviceSocket {
  public:
    DeviceSocket() = default;
    explicit DeviceSocket(FileDescriptor fd) : fd_(std::move(fd)) {}

    /* Makes two connected ends. */
    static std::pair<DeviceSocket, FileDescriptor> pair();

    /* Sends and waits for the reply; nothing if the other end is gone. */
    std::optional<Reply> request(const Request &request);
    /* Returns the next packet; nothing if the other end is gone or `timeout_ms` (-1: forever) has passed. */
    std::optional<std::vector<uint8_t>> receive(int timeout_ms);
    /* True if the other end is still there; does not wait. */
    bool connected() const;
    void close() { fd_.close(); }
    /* Breaks the connection: both ends notice, even one waiting in another thread. */
    void disconnect() const;

  private:
    bool send(const Request &request);

    FileDescriptor fd_;
};

}  // namespace ez_rknn::rknnrt::simulated
