# SPDX-License-Identifier: Apache-2.0
"""One context of the runtime: a loaded model that one thread at a time may run."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import RknnClosedError
from . import status
from .abi import ffi
from .holders import Holders
from .tensor_attribute import from_c, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .library import Library
    from .task import EngineTask
    from .tensor_attribute import TensorAttribute

logger = logging.getLogger("ez_rknn_async")

# The flag of rknn_init (RKNN_FLAG_COLLECT_PERF_MASK) that makes the runtime measure each layer.
COLLECT_PERF = 8
# The flag (RKNN_FLAG_SHARE_WEIGHT_MEM) that makes a context use the weights of another.
SHARE_WEIGHTS = 32


class Adopted(Protocol):
    """Memory that is given back with its context."""

    def free(self) -> None:
        """Give it back, unless that has happened."""


AdoptedMemory = TypeVar("AdoptedMemory", bound=Adopted)


class Context:
    """A handle of ``rknn_init`` or ``rknn_dup_context``; :meth:`destroy` must be called exactly once.

    A context whose weights or memory others use goes last, whatever the order of the calls, as the weights and the
    memory may go with it.
    """

    def __init__(self, library: Library, handle: int, weights_of: Context | None = None) -> None:
        """Use :meth:`open` or :meth:`duplicate`. ``weights_of`` is held for this one."""
        self.library = library
        self.handle = handle
        self._holders = Holders()  # its owner, its memory, and the contexts that use its weights
        self._memories: dict[Adopted, None] = {}  # those that it gives back itself at its end
        self._is_destroyed = False
        self._weights_of = weights_of
        self._custom_ops: object = None

    @classmethod
    def open(
        cls, library: Library, model: str | bytes | memoryview, flags: int = 0, *, weights_of: Context | None = None
    ) -> Context:
        """Load a model.

        Args:
            library: the runtime.
            model: a path, or the file's bytes.
            flags: of ``rknn_init``.
            weights_of: a context to take the weights from, which the file may leave out.

        Raises:
            RknnError: the runtime refuses the model.
            RknnClosedError: ``weights_of`` was destroyed.
        """
        if weights_of is None:
            return cls(library, _load(library, model, flags, ffi.NULL))
        extend = ffi.new("rknn_init_extend *", {"ctx": weights_of.handle})
        with weights_of.held():
            return cls(library, _load(library, model, flags | SHARE_WEIGHTS, extend), weights_of)

    def duplicate(self) -> Context:
        """Open a second context that shares this one's weights. The core mask is not inherited.

        Its register commands are copies of this one's: in the vendor's library, a duplicate of a context that was given
        pixels normalises whatever it is given. So only contexts that have not run yet are duplicated.

        Raises:
            RknnError: the runtime opens no other.
            RknnClosedError: this one was destroyed.
        """
        source, handle = ffi.new("rknn_context *", self.handle), ffi.new("rknn_context *")
        with self.held():
            self.library.call("rknn_dup_context", source, handle)
            return Context(self.library, handle[0], self)

    def destroy(self) -> None:
        """Give the memory back, and then the context, as soon as nothing else needs it.

        A failure is only logged: no caller could do anything about it.
        """
        self._is_destroyed = True
        self.free_memories()
        self.let_go()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the context for what is made from it inside, which takes the hold over and ends it at its own end.

        Raises:
            RknnClosedError: it was destroyed.
        """
        self.hold()
        try:
            yield
        except BaseException:
            self.let_go()
            raise

    def hold(self) -> None:
        """Keep the context until :meth:`let_go`, even if it is destroyed before.

        Raises:
            RknnClosedError: it was destroyed, and nothing holds it any more.
        """
        if not self._holders.add():
            raise RknnClosedError(
                "the context that this was to be made of was destroyed, with its session or for a fresh one"
            )

    def let_go(self) -> None:
        """End a :meth:`hold`. The last one to let go gives the context back. Never waits for another thread."""
        if not self._holders.remove():
            return
        remark = self.library.remark(self.handle)
        if remark:
            logger.warning("%s", remark)
        code = self.library.invoke("rknn_destroy", self.handle)
        if code != 0:
            logger.warning("%s", status.error(code, "rknn_destroy", self.library.last_error()))
        if self._weights_of is not None:
            self._weights_of.let_go()

    def free_memories(self) -> None:
        """Give back all memory that goes with the context."""
        for memory in tuple(self._memories):
            memory.free()

    def register_custom_ops(self, owner: object, operators: Any) -> None:
        """Register custom operators, a C array that ``owner`` keeps for as long as this context lives.

        Raises:
            RknnError: the runtime refuses one of them, or its ``init`` function failed.
        """
        self._custom_ops = owner
        self.library.call("rknn_register_custom_ops", self.handle, operators, len(operators))

    def adopt(self, memory: AdoptedMemory) -> AdoptedMemory:
        """Take over memory that is to be freed with the context, if not before, and return it.

        Raises:
            RknnClosedError: the context was destroyed meanwhile; the memory is freed.
        """
        self._memories[memory] = None
        if self._is_destroyed:  # and free_memories() may have missed this one
            memory.free()
            raise RknnClosedError("the session was closed while NPU memory was allocated for it")
        return memory

    def disown(self, memory: Adopted) -> None:
        """Forget memory that was freed."""
        self._memories.pop(memory, None)

    def set_core_mask(self, mask: int) -> None:
        """Choose the cores that run this context: one bit a core."""
        self.library.call("rknn_set_core_mask", self.handle, mask)

    def set_batch_core_num(self, count: int) -> None:
        """Set the number of cores over which the samples of a model with a batch are spread."""
        self.library.call("rknn_set_batch_core_num", self.handle, count)

    def counts(self) -> tuple[int, int]:
        """Return the number of inputs and the number of outputs."""
        answer = ffi.new("rknn_input_output_num *")
        self._query("RKNN_QUERY_IN_OUT_NUM", answer)
        return answer.n_input, answer.n_output

    def inputs(self) -> tuple[TensorAttribute, ...]:
        """Return the inputs as ``rknn_inputs_set`` takes them."""
        return tuple(self._attribute("RKNN_QUERY_INPUT_ATTR", i) for i in range(self.counts()[0]))

    def outputs(self) -> tuple[TensorAttribute, ...]:
        """Return the outputs as ``rknn_outputs_get`` gives them."""
        return tuple(self._attribute("RKNN_QUERY_OUTPUT_ATTR", i) for i in range(self.counts()[1]))

    def native_inputs(self, *, current: bool = False) -> tuple[TensorAttribute, ...]:
        """Return the inputs as they lie in the NPU's own memory.

        ``current``: for the shapes last set, which only a model with dynamic shapes has.
        """
        command = "RKNN_QUERY_CURRENT_NATIVE_INPUT_ATTR" if current else "RKNN_QUERY_NATIVE_INPUT_ATTR"
        return tuple(self._attribute(command, i) for i in range(self.counts()[0]))

    def native_outputs(self, *, current: bool = False) -> tuple[TensorAttribute, ...]:
        """Return the outputs as they lie in the NPU's own memory; see :meth:`native_inputs`."""
        command = "RKNN_QUERY_CURRENT_NATIVE_OUTPUT_ATTR" if current else "RKNN_QUERY_NATIVE_OUTPUT_ATTR"
        return tuple(self._attribute(command, i) for i in range(self.counts()[1]))

    def set_input_shapes(self, attributes: Any) -> None:
        """Choose the shapes of a dynamic model: ``rknn_tensor_attr[]``, one for each input; see :func:`describe`."""
        self.library.call("rknn_set_input_shapes", self.handle, len(attributes), attributes)

    def versions(self) -> tuple[str, str]:
        """Return the versions of the runtime library and of the kernel driver, as texts."""
        answer = ffi.new("rknn_sdk_version *")
        self._query("RKNN_QUERY_SDK_VERSION", answer)
        return text(answer.api_version), text(answer.drv_version)

    def memory(self) -> dict[str, int]:
        """Return what the context takes, in bytes: weights, internal feature maps, and all that the NPU can reach."""
        answer = ffi.new("rknn_mem_size *")
        self._query("RKNN_QUERY_MEM_SIZE", answer)
        return {
            "weights": answer.total_weight_size,
            "internal": answer.total_internal_size,
            "dma": answer.total_dma_allocated_size,
        }

    def set_inputs(self, task: EngineTask) -> None:
        """Set the shapes and the inputs of a task that goes by copy."""
        structure = task.task
        if structure.shapes != ffi.NULL:
            self.library.call("rknn_set_input_shapes", self.handle, structure.input_count, structure.shapes)
        self.library.call("rknn_inputs_set", self.handle, structure.input_count, task.inputs)

    def run(self) -> None:
        """Run one inference on the calling thread, on the inputs that were set; its outputs are not fetched."""
        self.library.call("rknn_run", self.handle, ffi.NULL)

    def perf_detail(self) -> str:
        """Return the runtime's measurements of the last run: a table of layers, if opened with :data:`COLLECT_PERF`."""
        answer = ffi.new("rknn_perf_detail *")
        self._query("RKNN_QUERY_PERF_DETAIL", answer)
        if answer.perf_data == ffi.NULL:
            return ""
        return bytes(ffi.buffer(answer.perf_data, answer.data_len)).decode("utf-8", "replace").rstrip("\0")

    def custom_string(self) -> str:
        """Return what the model's author put into ``config(custom_string=...)``."""
        answer = ffi.new("rknn_custom_string *")
        self._query("RKNN_QUERY_CUSTOM_STRING", answer)
        return text(answer.string)

    def _attribute(self, command: str, index: int) -> TensorAttribute:
        answer = ffi.new("rknn_tensor_attr *", {"index": index})
        self._query(command, answer)
        return from_c(answer)

    def _query(self, command: str, answer: Any) -> None:
        size = ffi.sizeof(ffi.typeof(answer).item)
        self.library.call("rknn_query", self.handle, ffi.typeof("rknn_query_cmd").relements[command], answer, size)


def _load(library: Library, model: str | bytes | memoryview, flags: int, extend: Any) -> int:
    handle = ffi.new("rknn_context *")
    if isinstance(model, str):
        # Size 0 says that the pointer is a path.
        library.call("rknn_init", handle, ffi.new("char[]", os.fsencode(model)), 0, flags, extend)
    else:
        # Given back here, not when the garbage collector comes: it clears a memoryview of an error's frames that is
        # still in use, and CPython crashes when the view is freed.
        with ffi.from_buffer(model) as content:
            library.call("rknn_init", handle, content, len(model), flags, extend)
    # On failure the vendor's library may leave a number in the handle that is none: it is only read after success.
    return int(handle[0])
