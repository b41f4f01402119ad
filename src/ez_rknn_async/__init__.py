"""Run ``.rknn`` models on every core of a Rockchip NPU, with the API of ONNX Runtime.

>>> from ez_rknn_async import InferenceSession, make_provider_options
>>> session = InferenceSession("model.rknn", provider_options=make_provider_options(schedule=[0, 1, 2]))
>>> outputs = session.run(None, {"input": image})

Where there is no NPU the same program runs on a simulated one.
"""
