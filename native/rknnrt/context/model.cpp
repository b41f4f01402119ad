/* SPDX-License-Identifier: Apache-2.0 */
#include "rknnrt/context/model.h"

#include <utility>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"
#include "rknnrt/base/text.h"

namespace ez_rknn::rknnrt {

namespace {

CustomOperatorPlan plan_custom_operator(const Graph &graph, const Node &node) {
    CustomOperatorPlan result;
    result.type = node.type;
    result.name = node.name.substr(node.name.find(':') + 1);  // all of it, if there is no colon
    result.attributes = node.attributes;
    for (uint32_t index : node.operands) result.inputs.push_back(make_operand_port(graph, index));
    for (uint32_t index : node.outputs) result.outputs.push_back(make_operand_port(graph, index));
    return result;
}

GraphPlan plan(const ModelFile &file, const Graph &graph, const Soc &soc) {
    GraphPlan result;
    result.inputs = make_input_ports(graph, file.batch, soc);
    result.outputs = make_output_ports(graph, file.batch, soc);
    for (const Node &node : graph.nodes) {
        if (node.custom) result.custom_operators.push_back(plan_custom_operator(graph, node));
    }
    return result;
}

/* Checks the SoC. Whether the weights fit is checked where they are read. */
void check_master(const Model &model, const Model &master) {
    if (model.file.target == master.file.target) return;
    fail(RKNN_ERR_MODEL_INVALID, "this rknn model is for ", upper(model.file.target),
         ", but the context whose weights it is to use has one for ", upper(master.file.target));
}

}  // namespace

std::shared_ptr<const Model> load_model(const Bytes &bytes, const Settings &settings, const FileDescriptor &file,
                                        Device &device, const std::shared_ptr<const Model> &master) {
    auto model = std::make_shared<Model>(settings);
    model->file = parse_model(bytes);
    model->soc = &device.soc_for(model->file, *settings.device);
    settings.check(*model->soc);
    model->master = master;
    if (master != nullptr) check_master(*model, *master);
    for (const Graph &graph : model->file.graphs) model->graphs.push_back(plan(model->file, graph, *model->soc));
    const DeviceModel *weights = master != nullptr ? master->device.get() : nullptr;
    model->device = device.open({model->file, bytes, file, *model->soc, *settings.device, weights});
    return model;
}

}  // namespace ez_rknn::rknnrt
