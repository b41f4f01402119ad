#include "rknnrt/context/model.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "rknn_abi.h"
#include "rknnrt/base/status.h"

namespace ez_rknn::simulator {

namespace {

constexpr uint64_t tensor_alignment = 64;

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
    return text;
}

/* The SoC to be: the one asked for, if the model was compiled for it, else the model's own. */
const Soc *soc_for(const ModelFile &file, const Settings &settings) {
    const Soc *own = find_soc(file.target);
    if (own == nullptr) {
        fail(RKNN_ERR_MODEL_INVALID, "this rknn model is for '", file.target,
             "', which the simulated NPU cannot be; it can be ", soc_names());
    }
    if (settings.soc == nullptr) return own;
    if (std::strcmp(settings.soc->compiled_for, own->compiled_for) != 0) {
        fail(RKNN_ERR_MODEL_INVALID, "This rknn model is for ", upper(own->name), ", but current platform is ",
             upper(settings.soc->name));
    }
    return settings.soc;
}

uint64_t place(const std::vector<TensorPort> &ports, uint64_t offset, std::vector<Place> &places) {
    for (const TensorPort &port : ports) {
        places.push_back({offset, port.dense_bytes});
        offset = aligned(offset + port.dense_bytes, tensor_alignment);
    }
    return offset;
}

CustomOperatorPlan plan_custom_operator(const Graph &graph, const Node &node) {
    CustomOperatorPlan result;
    result.type = node.type;
    result.name = node.name.substr(node.name.find(':') + 1);  // all of it, if there is no colon
    result.attributes = node.attributes;
    for (uint32_t index : node.operands) result.inputs.push_back(make_operand_port(graph, index));
    for (uint32_t index : node.outputs) result.outputs.push_back(make_operand_port(graph, index));
    return result;
}

/* Gives every tensor of a graph that the device and this process share its place; how many bytes that takes. */
uint64_t place(GraphPlan &plan) {
    uint64_t end = place(plan.inputs, 0, plan.placement.inputs);
    end = place(plan.outputs, end, plan.placement.outputs);
    for (const CustomOperatorPlan &custom_operator : plan.custom_operators) {
        OperatorPlacement placement;
        end = place(custom_operator.inputs, end, placement.inputs);
        end = place(custom_operator.outputs, end, placement.outputs);
        plan.placement.custom_operators.push_back(std::move(placement));
    }
    if (!plan.custom_operators.empty() && end > INT32_MAX) {
        fail(RKNN_ERR_MODEL_INVALID, "the tensors of the model's custom operators do not fit into 2 GiB");
    }
    return end;
}

GraphPlan plan(const ModelFile &file, const Graph &graph, const Soc &soc) {
    GraphPlan result;
    for (size_t i = 0; i < graph.inputs.size(); ++i) {
        result.inputs.push_back(make_input_port(graph, i, file.batch, soc));
    }
    for (size_t i = 0; i < graph.outputs.size(); ++i) {
        result.outputs.push_back(make_output_port(graph, i, file.batch, soc));
    }
    for (const Node &node : graph.nodes) {
        if (node.custom) result.custom_operators.push_back(plan_custom_operator(graph, node));
    }
    result.costs = layer_costs(graph, soc);
    for (uint32_t together = 1; together <= max_cores; ++together) {
        for (uint32_t busy = together; busy <= max_cores; ++busy) {
            result.durations_ns[together - 1][busy - 1] = graph_duration_ns(result.costs, {together, busy}, soc);
        }
    }
    return result;
}

/* The model's bytes as a file that another process can map. */
FileDescriptor as_file(const Bytes &bytes) {
    FileDescriptor file = FileDescriptor::memory("ez_rknn_model", bytes.size());
    const uint8_t *data = bytes.at(0, bytes.size(), "model");
    size_t written = 0;
    while (written < bytes.size()) {
        const ssize_t now = pwrite(file.get(), data + written, bytes.size() - written, static_cast<off_t>(written));
        if (now < 0 && errno == EINTR) continue;
        if (now <= 0) fail(RKNN_ERR_MALLOC_FAIL, "copying the model for the device: ", std::strerror(errno));
        written += static_cast<size_t>(now);
    }
    return file;
}

/* Whether a model can use another's weights; that they fit is found out where they are read. */
void check_master(const Model &model, const Model &master) {
    if (model.file.target != master.file.target) {
        fail(RKNN_ERR_MODEL_INVALID, "this rknn model is for ", upper(model.file.target),
             ", but the context whose weights it is to use has one for ", upper(master.file.target));
    }
    if (model.settings.compute && master.device == nullptr) {
        fail(RKNN_ERR_PARAM_INVALID,
             "the context whose weights are to be used was made with compute=off: its weights were not loaded");
    }
}

}  // namespace

std::shared_ptr<const Model> load_model(const Bytes &bytes, const Settings &settings, const FileDescriptor &file,
                                        Device &device, const std::shared_ptr<const Model> &master) {
    auto model = std::make_shared<Model>();
    model->file = parse_model(bytes);
    model->settings = settings;
    model->soc = soc_for(model->file, settings);
    settings.check(*model->soc);
    model->master = master;
    if (master != nullptr) check_master(*model, *master);
    for (const Graph &graph : model->file.graphs) {
        GraphPlan prepared = plan(model->file, graph, *model->soc);
        model->shared_bytes = std::max(model->shared_bytes, place(prepared));
        model->graphs.push_back(std::move(prepared));
    }
    if (settings.compute) {
        const std::shared_ptr<DeviceModel> weights = master != nullptr ? master->device : nullptr;
        model->device = file ? device.load(file, weights) : device.load(as_file(bytes), weights);
    }
    return model;
}

}  // namespace ez_rknn::simulator
