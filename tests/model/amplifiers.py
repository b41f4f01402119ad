# SPDX-License-Identifier: Apache-2.0
"""Small files that describe something enormous, because a FlatBuffer may point to the same bytes repeatedly."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .writer import Reference, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

MILLION = 1_000_000


def one_tensor_a_million_times() -> bytes:
    """Every entry of the list of tensors is the same tensor."""
    return _graph_with(_the_same_table, slot=0)


def one_node_a_million_times() -> bytes:
    """Every entry of the list of nodes is the same node."""
    return _graph_with(_the_same_table, slot=1)


def one_graph_a_million_times() -> bytes:
    """Every entry of the list of graphs is the same graph."""
    writer, graphs = Writer(), Reference()
    root = _root(writer, {2: graphs})
    _the_same_table(writer, graphs)
    return writer.finish(root)


def one_buffer_a_million_times() -> bytes:
    """Every entry of the list of buffers is the same buffer."""
    writer, graphs, graph, buffers = Writer(), Reference(), Reference(), Reference()
    root = _root(writer, {2: graphs, 20: buffers})
    writer.tables([graph], graphs)
    writer.table({}, graph)
    _the_same_table(writer, buffers)
    return writer.finish(root)


def a_long_name_for_every_tensor() -> bytes:
    """Thousands of tensors share one name of a megabyte."""

    def tensors(writer: Writer, reference: Reference) -> None:
        name = Reference()
        members = [Reference() for _ in range(10_000)]
        writer.tables(members, reference)
        for member in members:
            writer.table({5: name}, member)
        writer.text(b"n" * 2**20, name)

    return _graph_with(tensors, slot=0)


def overlapping_vectors() -> bytes:
    """The shapes of thousands of nodes' inputs begin four bytes after each other, and all are long."""

    def nodes(writer: Writer, reference: Reference) -> None:
        members = [Reference() for _ in range(20_000)]
        vectors = [Reference() for _ in members]
        writer.tables(members, reference)
        for member, vector in zip(members, vectors):
            writer.table({4: vector}, member)
        for vector in vectors:  # the length of one vector is an item of those before it
            writer.raw(struct.pack("<I", 20_000), vector)
        writer.raw(b"\0" * 80_000, Reference())

    return _graph_with(nodes, slot=1)


def an_enormous_literal() -> bytes:
    """The attributes are a list of hundreds of thousands of empty lists."""
    return _with_attributes(b"[" + b"[]," * 349_000 + b"]")


def an_enormous_nest() -> bytes:
    """The attributes are brackets in brackets."""
    return _with_attributes(b"[" * MILLION)


def an_enormous_number() -> bytes:
    """The attributes are one number of a million digits."""
    return _with_attributes(b"9" * MILLION)


def an_enormous_attribute_for_every_node() -> bytes:
    """A thousand nodes share one document of a hundred thousand members."""

    def nodes(writer: Writer, reference: Reference) -> None:
        document = Reference()
        members = [Reference() for _ in range(1000)]
        writer.tables(members, reference)
        for member in members:
            writer.table({9: document}, member)
        body = b"".join(b"\x0a%07d\0" % index for index in range(100_000)) + b"\0"
        length = len(body) + 4
        writer.raw(struct.pack("<II", length, length) + body, document)

    return _graph_with(nodes, slot=1)


def one_operand_with_a_long_name_many_times() -> bytes:
    """A custom operator reads one tensor, whose name has a hundred kilobytes, tens of thousands of times."""
    graphs, graph, tensors, dummy, port, operand = (Reference() for _ in range(6))
    nodes, node, operator, inputs, outputs, name, shape, ports = (Reference() for _ in range(8))
    document, target = Writer(), Reference()
    root = _root(document, {2: graphs, 8: target})
    document.text(b"rk3588", target)
    document.tables([graph], graphs)
    document.table({0: tensors, 1: nodes, 3: ports}, graph)
    document.tables([dummy, port, operand], tensors)
    document.table({}, dummy)
    document.port(port)
    document.table({0: 1, 2: 5, 4: shape, 5: name}, operand)
    document.tables([node], nodes)
    document.table({1: operator, 4: inputs, 5: outputs}, node)
    document.text(b"cstRead", operator)
    document.text(b"n" * 100_000, name)
    document.numbers("i", [1], shape)
    document.numbers("i", [1], ports)
    document.numbers("i", [2] * 60_000, inputs)
    document.numbers("i", [1], outputs)
    return document.finish(root)


def tiny_tensors_without_end() -> bytes:
    """As many tensors as a file of eight megabytes can hold, each of four bytes."""
    writer, graphs, graph, tensors = Writer(), Reference(), Reference(), Reference()
    root = _root(writer, {2: graphs})
    writer.tables([graph], graphs)
    writer.table({0: tensors}, graph)
    count = MILLION
    # Entry i and table i are both four bytes wide, so that every entry holds the same offset.
    entries = struct.pack("<I", count) + struct.pack("<I", 4 * count + 4) * count
    field_list = struct.pack("<HH", 4, 4)
    tables = b"".join(struct.pack("<i", 4 * index + 4) for index in range(count))
    writer.raw(entries + field_list + tables, tensors)
    return writer.finish(root)


AMPLIFIERS: tuple[Callable[[], bytes], ...] = (
    one_tensor_a_million_times,
    one_node_a_million_times,
    one_graph_a_million_times,
    one_buffer_a_million_times,
    a_long_name_for_every_tensor,
    overlapping_vectors,
    an_enormous_literal,
    an_enormous_nest,
    an_enormous_number,
    an_enormous_attribute_for_every_node,
    one_operand_with_a_long_name_many_times,
    tiny_tensors_without_end,
)


def _root(writer: Writer, slots: dict[int, Reference]) -> Reference:
    return writer.table({0: 6, 6: 20500, **slots})


def _graph_with(content: Callable[[Writer, Reference], None], slot: int) -> bytes:
    writer, graphs, graph, members = Writer(), Reference(), Reference(), Reference()
    root = _root(writer, {2: graphs})
    writer.tables([graph], graphs)
    writer.table({slot: members}, graph)
    content(writer, members)
    return writer.finish(root)


def _with_attributes(text: bytes) -> bytes:
    writer, graphs, graph, attributes = Writer(), Reference(), Reference(), Reference()
    root = _root(writer, {2: graphs, 3: attributes})
    writer.tables([graph], graphs)
    writer.table({}, graph)
    writer.text(text, attributes)
    return writer.finish(root)


def _the_same_table(writer: Writer, vector: Reference) -> None:
    table = Reference()
    writer.tables([table] * MILLION, vector)
    writer.table({}, table)
