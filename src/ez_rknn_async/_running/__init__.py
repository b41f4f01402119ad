# SPDX-License-Identifier: Apache-2.0
"""Running a model: the executor and its end, delivery, futures, coroutines, batches, streams, pipelines."""
