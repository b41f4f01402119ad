"""What goes into a model and what comes out: from a feed to a request that the engine can run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from .._host.wording import shown
from .._runtime.context import describe
from .._tensors.inputs import Input, arrange
from .._tensors.outputs import AS_THE_SESSION, Choice, Output, Receiver, nearest
from .._tensors.shapes import choose
from ..errors import RknnTypeError, RknnValueError
from .copying import Copying

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from .._runtime.context import TensorAttribute
    from .._runtime.engine import Result, Task
    from .._runtime.kernels import Conversion
    from .._tensors.node_arg import NodeArg
    from .._tensors.shapes import ShapeSet
    from .protocol import Received, Route, Sent, Transport

    Array = npt.NDArray[Any]


class Request(NamedTuple):
    """One inference, checked and converted: nothing about it can be refused for the user's fault any more.

    It owns what its task points to, and lives until the task has ended.
    """

    inputs: tuple[Sent, ...]
    outputs: tuple[Received, ...]
    shapes: Any  # rknn_tensor_attr[], one for each input; None for a model with one set of shapes
    route: Route
    transport: Transport

    def receiving(self, receivers: Sequence[Receiver]) -> Request:
        """The same with arrays for its outputs."""
        receive = self.transport.receive
        return self._replace(outputs=tuple([receive(i, r, self.route) for i, r in enumerate(receivers)]))

    def fill(self, task: Task) -> None:
        """Write this request into the structures of a task."""
        for index, sent in enumerate(self.inputs):
            sent.put(task, index)
        for index, received in enumerate(self.outputs):
            received.put(task, index)
        task.set_shapes(self.shapes)
        task.set_lane(self.route.lane)

    def ended(self, result: Result | None) -> None:
        """The task has ended; its arrays are their owners' alone."""

    @property
    def conversions(self) -> list[Conversion]:
        """What the worker does to the inputs."""
        return [sent.conversion for sent in self.inputs if sent.conversion is not None]

    @property
    def arrays(self) -> list[Array]:
        """The arrays with the outputs, when the task has ended."""
        return [received.result() for received in self.outputs]


class Interface:
    """The inputs and outputs of one model, in its order.

    Attributes:
        inputs, outputs: each on its own.
        input_names, output_names: their names.
        sets: the sets of shapes with which the model can run.
        transport: how tensors travel; replaced, if at all, before the first request is made.
        native_outputs: whether outputs keep their own element type.
    """

    def __init__(
        self, sets: Sequence[ShapeSet], layout: str, native_outputs: bool = False, output_layout: str = "nchw"
    ) -> None:
        """Describe a model.

        Args:
            sets: the sets of shapes; the first is the one to report.
            layout: what the user passes for images: ``"nchw"``, ``"nhwc"`` or ``"any"``.
            native_outputs: whether outputs keep the element type that they have inside the NPU.
            output_layout: in which order the user wants images: ``"nchw"`` or ``"nhwc"``.
        """
        self.sets = tuple(sets)
        self.native_outputs = native_outputs
        self.inputs = tuple(
            Input(a, layout, _distinct([s.inputs[i].shape for s in sets])) for i, a in enumerate(sets[0].inputs)
        )
        self.outputs = tuple(Output(a, output_layout) for a in sets[0].outputs)
        self.input_names = [i.attribute.name for i in self.inputs]
        self.output_names = [o.attribute.name for o in self.outputs]
        self._output_shapes = [[a.shape for a in s.outputs] for s in sets]
        self.transport: Transport = Copying(self.inputs)
        # For rknn_set_input_shapes; made once: every task of a dynamic model tells the runtime its shapes.
        self.descriptions = [describe(_for_setting(s)) if len(sets) > 1 else None for s in sets]

    def node_args(self) -> tuple[list[NodeArg], list[NodeArg]]:
        """The inputs and the outputs as the user sees them."""
        outputs = [o.node_arg(_distinct([s.outputs[i].shape for s in self.sets])) for i, o in enumerate(self.outputs)]
        return [i.node_arg for i in self.inputs], outputs

    def input_shapes(self) -> list[dict[str, list[int]]]:
        """Each legal set of input shapes, in the layout that the user chose."""
        return [{i.attribute.name: list(i.for_user(a.shape)) for i, a in zip(self.inputs, s.inputs)} for s in self.sets]

    def request(
        self,
        feed: Any,
        *,
        private: bool,
        outputs: Mapping[str, Any] | None = None,
        choice: Choice = AS_THE_SESSION,
    ) -> Request:
        """Check and convert a feed, and make room for what will come out.

        Args:
            feed: ``{name: array}``, a sequence of arrays, or one array.
            private: whether the request must not share memory with the feed.
            outputs: arrays to receive outputs, by name; the others are allocated.
            choice: how the outputs are wanted.

        Raises:
            RknnValueError, RknnTypeError: the feed or the arrays do not fit the model.
        """
        sent, route = self._send(feed, private)
        receivers = self.receivers(self._output_shapes[route.chosen], outputs, choice)
        receive = self.transport.receive
        received = tuple([receive(index, receiver, route) for index, receiver in enumerate(receivers)])
        return Request(sent, received, self.descriptions[route.chosen], route, self.transport)

    def prepare(self, feed: Any, *, private: bool) -> tuple[Request, ShapeSet]:
        """The first half of :meth:`request`: one without outputs, and the shapes that its inputs have chosen."""
        sent, route = self._send(feed, private)
        chosen = route.chosen
        return Request(sent, (), self.descriptions[chosen], route, self.transport), self.sets[chosen]

    def receivers(
        self,
        shapes: Sequence[tuple[int, ...]],
        given: Mapping[str, Any] | None = None,
        choice: Choice = AS_THE_SESSION,
    ) -> tuple[Receiver, ...]:
        """Arrays for outputs of these shapes, in the runtime's order: those given by name, and new ones."""
        native, layout = choice
        native = self.native_outputs if native is None else native
        if given is None:
            return tuple([output.allocate(shape, native, layout) for output, shape in zip(self.outputs, shapes)])
        given = self._checked(given)
        return tuple(
            output.receive_in(given[name], shape, layout) if name in given else output.allocate(shape, native, layout)
            for output, name, shape in zip(self.outputs, self.output_names, shapes)
        )

    def _send(self, feed: Any, private: bool) -> tuple[tuple[Sent, ...], Route]:
        """The inputs on their way, and where they go."""
        given = [i.check(value) for i, value in zip(self.inputs, arrange(feed, self.input_names))]
        # One set of shapes goes together by itself: each is legal for its input.
        chosen = choose(self.sets, [g.shape for g in given], [g.order for g in given]) if len(self.sets) > 1 else 0
        route, send = self.transport.route(given, chosen), self.transport.send
        return tuple([send(index, value, route, private=private) for index, value in enumerate(given)]), route

    def _checked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if not isinstance(given, Mapping):
            raise RknnTypeError(f"outputs takes a dictionary {{name: array}}, not {shown(given)}")
        for name in given:
            if name not in self.output_names:
                raise RknnValueError(nearest(name, self.output_names))
        return given


def _distinct(shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    return tuple(dict.fromkeys(shapes))


def _for_setting(shapes: ShapeSet) -> list[TensorAttribute]:
    # rknn_set_input_shapes refuses NCHW with -5, but compares a shape without a layout in just that order.
    return [replace(a, format="UNDEFINED") if a.format == "NCHW" else a for a in shapes.inputs]
