# SPDX-License-Identifier: Apache-2.0
"""ONNX operators, by where a Rockchip NPU's compiler puts them.

From what toolkit 2.5.0 made of models with one operator each (docs/reference/simulator.md). The compiler has the last
word: an operator of neither table may still be rewritten into others, and its log is searched after the build.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The compiler rewrites many of them: into convolutions, look-up tables, or constants.
NPU = _words("""
    Abs Add AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv ConvTranspose
    DequantizeLinear Dropout Einsum Elu Expand Flatten GRU Gelu Gemm GlobalAveragePool GlobalMaxPool
    GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LSTM LayerNorm LayerNormalization
    LeakyRelu LpNormalization MatMul MaxPool Mean MeanVarianceNormalization Mish Mul Neg PRelu Pad QuantizeLinear
    RMSNormalization Range Reciprocal ReduceMean ReduceSum Relu Reshape Resize Shape Sigmoid Size Slice Softmax
    Softplus Split Sqrt Squeeze Sub Sum Swish Tanh ThresholdedRelu Transpose Unsqueeze Upsample
""")
CPU = _words("""
    Acos Acosh And ArgMax ArgMin Asin Asinh Atan Atanh BitShift Ceil Celu Cos Cosh CumSum DepthToSpace Div Equal Erf
    Exp EyeLike Floor Gather GatherElements GatherND GlobalLpPool Greater GreaterOrEqual GridSample Hardmax IsInf
    IsNaN LRN Less LessOrEqual Log LogSoftmax LpPool Max MaxRoiPool Min Mod Not OneHot Or Pow RNN ReduceL1 ReduceL2
    ReduceLogSum ReduceLogSumExp ReduceMax ReduceMin ReduceProd ReduceSumSquare RoiAlign Round Scatter
    ScatterElements ScatterND Selu Shrink Sign Sin Sinh Softsign SpaceToDepth Tan Tile TopK Trilu Where Xor
""")
CONTROL_FLOW = frozenset(("If", "Loop", "Scan"))
KNOWN = NPU | CPU | CONTROL_FLOW
