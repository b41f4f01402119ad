/* SPDX-License-Identifier: Apache-2.0 */
#include "devices/simulated/board.h"

#include <algorithm>

#include "rknnrt/base/wait.h"

namespace ez_rknn::rknnrt::simulated {

namespace {

bool has(uint32_t mask, size_t core) {
    return (mask >> core & 1U) != 0;
}

}  // namespace

Board::Board(const Soc &soc) : sram_(soc.sram_bytes), cores_(soc.cores) {}

Board::Lease Board::acquire(uint32_t mask) {
    return Lease(*this, mask);
}

Board::Lease::Lease(Board &board, uint32_t mask) : board_(board), start_ns_(now_ns()) {
    const Lock lock(board_.mutex_);
    ticket_.mask = mask != 0 ? mask : 1U << board_.choose_core();
    // All lines are joined under one lock, so two tasks meet in the same order at every core: no deadlock.
    for (size_t core = 0; core < board_.cores_.size(); ++core) {
        if (has(ticket_.mask, core)) board_.cores_[core].line.push_back(&ticket_);
    }
    wait_forever(ticket_.ready, board_.mutex_, [&] {
        board_.mutex_.assert_held();
        return board_.is_first(ticket_);
    });
    busy_cores_ = board_.busy_cores();
    start_ns_ = std::max(start_ns_, board_.free_since(ticket_));
    end_ns_ = start_ns_;
}

Board::Lease::~Lease() {
    board_.release(ticket_, start_ns_, end_ns_);
}

uint32_t Board::Lease::first_core() const {
    uint32_t core = 0;
    while (!has(ticket_.mask, core)) ++core;
    return core;
}

uint32_t Board::Lease::core_count() const {
    uint32_t count = 0;
    for (uint32_t mask = ticket_.mask; mask != 0; mask &= mask - 1) ++count;
    return count;
}

uint32_t Board::choose_core() const {
    uint32_t chosen = 0;
    for (uint32_t core = 1; core < cores_.size(); ++core) {
        if (cores_[core].line.size() < cores_[chosen].line.size()) chosen = core;
    }
    return chosen;
}

bool Board::is_first(const Ticket &ticket) const {
    for (size_t core = 0; core < cores_.size(); ++core) {
        if (has(ticket.mask, core) && cores_[core].line.front() != &ticket) return false;
    }
    return true;
}

uint32_t Board::busy_cores() const {
    return static_cast<uint32_t>(
        std::count_if(cores_.begin(), cores_.end(), [](const Core &core) { return !core.line.empty(); }));
}

int64_t Board::free_since(const Ticket &ticket) const {
    int64_t time = 0;
    for (size_t core = 0; core < cores_.size(); ++core) {
        if (has(ticket.mask, core)) time = std::max(time, cores_[core].free_since_ns);
    }
    return time;
}

void Board::release(Ticket &ticket, int64_t start_ns, int64_t end_ns) {
    const Lock lock(mutex_);
    for (size_t core = 0; core < cores_.size(); ++core) {
        if (!has(ticket.mask, core)) continue;
        cores_[core].line.pop_front();
        cores_[core].counters.runs += 1;
        cores_[core].counters.busy_ns += end_ns - start_ns;
        cores_[core].free_since_ns = end_ns;
    }
    for (Core &core : cores_) {
        if (!core.line.empty() && is_first(*core.line.front())) core.line.front()->ready.notify_one();
    }
}

CoreCounters Board::counters(uint32_t core) const {
    const Lock lock(mutex_);
    return cores_[core].counters;
}

size_t Board::line_length(uint32_t core) const {
    const Lock lock(mutex_);
    return cores_[core].line.size();
}

void Board::reset_counters() {
    const Lock lock(mutex_);
    for (Core &core : cores_) core.counters = {};
}

Board &Boards::of(const Soc &soc) {
    const Lock lock(mutex_);
    std::unique_ptr<Board> &board = boards_[&soc];
    if (board == nullptr) board = std::make_unique<Board>(soc);
    return *board;
}

void Boards::reset_counters() {
    const Lock lock(mutex_);
    for (auto &[soc, board] : boards_) board->reset_counters();
}

}  // namespace ez_rknn::rknnrt::simulated
