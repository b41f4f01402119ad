/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/dispatch.h"

#include <algorithm>

namespace ez_rknn::engine {
namespace {

constexpr uint32_t no_group = UINT32_MAX;

}  // namespace

Dispatch::Dispatch(const ezr_config &config)
    : routes_(config.routes, config.routes + config.route_count),
      common_capacity_(
          config.dispatch == EZR_DISPATCH_LEAST_LOADED ? uint64_t{config.queue_capacity} * config.group_count : 0) {
    for (uint32_t route : routes_) {
        if (std::find(order_.begin(), order_.end(), route) == order_.end()) order_.push_back(route);
    }
    for (uint32_t i = 0; i < config.group_count; ++i) groups_.emplace_back(i, config.queue_capacity);
    for (uint32_t i = 0; i < config.worker_count; ++i) groups_[config.workers[i].group].add_worker(i);
}

uint32_t Dispatch::worker_count() const {
    uint32_t count = 0;
    for (const Group &group : groups_) count += group.worker_count();
    return count;
}

/* The group whose turn it is; the turn of a retired one goes to the next. */
uint32_t Dispatch::next_route() const {
    const size_t turn = static_cast<size_t>(next_id_) % routes_.size();
    for (size_t i = turn; i < turn + routes_.size(); ++i) {
        const uint32_t route = routes_[i % routes_.size()];
        if (!groups_[route].is_retired()) return route;
    }
    return routes_[turn];
}

Group *Dispatch::group_with_spare_context() {
    for (uint32_t index : order_) {
        if (groups_[index].has_spare_context()) return &groups_[index];
    }
    return nullptr;
}

bool Dispatch::has_room() const {
    return is_least_loaded() ? common_.size() < common_capacity_ : groups_[next_route()].has_room();
}

bool Dispatch::wants_more(int64_t brief_ns) const {
    if (!has_room()) return false;
    const auto is_idle = [](const Group &group) { return group.has_spare_context(); };
    if (std::any_of(groups_.begin(), groups_.end(), is_idle)) return true;
    const Group &next = groups_[is_least_loaded() ? order_.front() : next_route()];
    if (!next.recent_ns().is_known() || next.recent_ns().value() >= brief_ns) return true;
    const size_t queued = is_least_loaded() ? common_.size() : next.queued();
    const uint64_t capacity = is_least_loaded() ? common_capacity_ : next.queue_capacity();
    const uint32_t contexts = is_least_loaded() ? worker_count() : next.worker_count();
    return queued <= capacity / 2 || static_cast<int64_t>(queued) * next.recent_ns().value() < brief_ns * contexts;
}

bool Dispatch::is_backlogged(int64_t brief_ns) const {
    const auto is_busy = [&](const Group &group) {
        return group.recent_ns().is_known() && group.recent_ns().value() < brief_ns &&
               (is_least_loaded() ? !group.has_spare_context() : !group.is_empty());
    };
    return common_.size() >= (is_least_loaded() ? order_.size() : 0) &&
           std::all_of(order_.begin(), order_.end(), [&](uint32_t index) { return is_busy(groups_[index]); });
}

Group *Dispatch::group_at_once() {
    if (is_least_loaded()) return group_with_spare_context();  // then nothing waits in the common queue
    Group &group = groups_[next_route()];
    return group.is_empty() && group.has_spare_context() ? &group : nullptr;
}

void Dispatch::number(Task &task) {
    task.result.id = next_id_++;
    task.result.submitted_ns = now_ns();
}

void Dispatch::accept(Task &task, const Group &group) {
    task.result.group = group.index();
    number(task);
}

void Dispatch::enqueue(TaskList &task) {
    Task &front = task.front();
    const uint32_t route = is_least_loaded() ? no_group : next_route();
    TaskList &queue = is_least_loaded() ? common_ : groups_[route].queue();
    places_.emplace(next_id_, Place{&queue, task.begin()});
    front.result.group = route;
    number(front);
    if (is_least_loaded()) {
        common_.splice(common_.end(), task, task.begin());
        distribute();
    } else {
        groups_[route].enqueue(task);
    }
}

void Dispatch::distribute(const Group *awake) {
    while (!common_.empty()) {
        Group *group = group_with_spare_context();
        if (group == nullptr) return;
        Task &task = common_.front();
        task.result.group = group->index();
        places_.find(task.result.id)->second.queue = &group->queue();
        group->enqueue(common_, group != awake);
    }
}

void Dispatch::take(TaskList &queue, TaskList &to) {
    places_.erase(queue.front().result.id);
    to.splice(to.end(), queue, queue.begin());
}

void Dispatch::take_up(Group &group, TaskList &to) {
    take(group.queue(), to);
}

Task *Dispatch::find(int64_t id) {
    const auto found = places_.find(id);
    return found == places_.end() ? nullptr : &*found->second.task;
}

void Dispatch::withdraw(int64_t id, TaskList &to) {
    const auto found = places_.find(id);
    const Place place = found->second;
    places_.erase(found);
    to.splice(to.end(), *place.queue, place.task);
    distribute();  // the context promised to it may be free for another one
}

void Dispatch::withdraw_all(TaskList &to) {
    for (Group &group : groups_) {
        while (!group.is_empty()) take(group.queue(), to);
    }
    while (!common_.empty()) take(common_, to);
}

void Dispatch::withdraw_hopeless(bool is_closed, TaskList &to) {
    const auto is_hopeless = [&](const Group &group) {
        return group.is_retired() || (is_closed && group.worker_count() == 0);
    };
    for (Group &group : groups_) {
        while (is_hopeless(group) && !group.is_empty()) take(group.queue(), to);
    }
    const bool all = std::all_of(order_.begin(), order_.end(), [&](uint32_t i) { return is_hopeless(groups_[i]); });
    while (all && !common_.empty()) take(common_, to);
}

bool Dispatch::is_retired() const {
    return std::all_of(order_.begin(), order_.end(), [&](uint32_t i) { return groups_[i].is_retired(); });
}

void Dispatch::count(const ezr_result &result) {
    groups_[result.group == no_group ? order_.front() : result.group].count(result);
}

ezr_group_stats Dispatch::stats(uint32_t group) const {
    ezr_group_stats stats = groups_[group].stats();
    if (group == order_.front()) stats.queued += static_cast<uint32_t>(common_.size());
    return stats;
}

}  // namespace ez_rknn::engine
