/* SPDX-License-Identifier: Apache-2.0 */
/* The timing model, compared with the compiler's log of each layer of models in tests/data. */
#include <cmath>

#include "devices/simulated/timing.h"
#include "rknnrt/base/bytes.h"
#include "tests/check.h"
#include "tests/simulator/json.h"
#include "tests/simulator/support.h"

using namespace ez_rknn::tests;
using namespace ez_rknn::rknnrt;
using namespace ez_rknn::rknnrt::simulated;

namespace {

ModelFile parsed(const std::string &name) {
    const std::string file = read_file(model_path(name));
    return parse_model(Bytes(file.data(), file.size()));
}

double within(double ours, double theirs) {
    return std::fabs(ours - theirs) <= std::max(2.0, 0.06 * theirs) ? theirs : ours;
}

}  // namespace

TEST(cycles_match_the_compiler_s_log) {
    size_t compared = 0;
    for (const std::string &name : files_in(EZ_RKNN_TEST_DATA, "", "_cycles.json")) {
        const std::string model = name.substr(0, name.size() - 12);
        if (model == "digits_i8") continue;  // the demo's model, which is elsewhere
        const ModelFile file = parsed(model);
        const std::vector<LayerCost> costs = layer_costs(file.graphs[0], *find_soc(file.target));
        const json::Value recorded = json::parse(read_file(std::string(EZ_RKNN_TEST_DATA) + "/" + name));
        CHECK_EQ(costs.size(), recorded.array.size());
        for (size_t i = 0; i < std::min(costs.size(), recorded.array.size()); ++i) {
            const std::string where = model + " " + recorded[i]["name"].string + " ";
            if (recorded[i]["total_cycles"].number == 0) continue;  // the compiler has no estimate
            CHECK_EQ(where + std::to_string(costs[i].npu_cycles),
                     where + std::to_string(static_cast<uint64_t>(recorded[i]["compute_cycles"].number)));
            CHECK_EQ(where + std::to_string(
                                 within(static_cast<double>(costs[i].ddr_cycles), recorded[i]["memory_cycles"].number)),
                     where + std::to_string(recorded[i]["memory_cycles"].number));
            ++compared;
        }
    }
    std::printf("%zu layers\n", compared);
    CHECK(compared >= 10);
}

TEST(models_divide_layers_as_the_file_says) {
    const Soc &rk3588 = *find_soc("rk3588");
    const ModelFile several = parsed("block_int8");
    CHECK(supports_cores(several.graphs[0], 2));
    CHECK(supports_cores(several.graphs[0], 3));
    size_t divided = 0;
    for (const LayerCost &cost : layer_costs(several.graphs[0], rk3588)) {
        CHECK(cost.share[0] == 1 && cost.share[1] >= 0.5 && cost.share[2] >= 1.0 / 3);
        divided += cost.share[1] < 1 ? 1 : 0;
    }
    CHECK(divided > 0);
    const ModelFile single = parsed("single_core_int8");
    CHECK(!supports_cores(single.graphs[0], 2));
    CHECK(!supports_cores(single.graphs[0], 3));
    for (const LayerCost &cost : layer_costs(single.graphs[0], rk3588)) CHECK(cost.share[1] == 1);
}

TEST(cores_divide_large_layers_and_are_not_worth_joining_for_small_ones) {
    const Soc &rk3588 = *find_soc("rk3588");
    LayerCost large;
    large.npu_cycles = 1000000;
    large.share = {1, 0.5, 0.34};
    CHECK(large.duration_ns({2, 2}, rk3588) < large.duration_ns({1, 1}, rk3588) * 6 / 10);
    CHECK(large.duration_ns({3, 3}, rk3588) < large.duration_ns({2, 2}, rk3588));
    LayerCost small = large;
    small.npu_cycles = 1000;
    CHECK(small.duration_ns({2, 2}, rk3588) > small.duration_ns({1, 1}, rk3588));
}

TEST(busy_cores_slow_each_other_on_memory_bound_layers) {
    const Soc &rk3588 = *find_soc("rk3588");
    LayerCost moves;
    moves.moved_bytes = 10000000;
    CHECK(moves.duration_ns({1, 2}, rk3588) > moves.duration_ns({1, 1}, rk3588));
    CHECK(moves.duration_ns({1, 3}, rk3588) > moves.duration_ns({1, 2}, rk3588));
    CHECK_EQ(moves.duration_ns({3, 3}, rk3588), moves.duration_ns({1, 1}, rk3588));  // undivided: the others wait
    LayerCost computes;
    computes.npu_cycles = 1000000;
    CHECK_EQ(computes.duration_ns({1, 3}, rk3588), computes.duration_ns({1, 1}, rk3588));
}
