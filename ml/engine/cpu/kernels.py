"""The kernels themselves. Each reads its arguments from an array of int64; `ARGUMENTS` of each names them in order.

The cache of one layer is [blocks, key/value heads, head size, 16] for keys, so that one vector holds one component of
16 positions, and [blocks, key/value heads, 16, head size] for values.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from ml.engine.cpu.simd import ITEM_BYTES, WIDTH, Code, Int, Kernel, Kind, Sum, Vec, compiled, width_of

BLOCK = 16
FLOAT = 4
# Heads that share one pass over the keys, and accumulators of the pass over the values: what registers hold.
MOST_HEADS, MOST_SUMS = 8, 24
MINUS_INFINITY = float("-inf")


@dataclass(frozen=True, slots=True)
class HeadShape:
    """What attention kernels are compiled for. `kind` is the type of activations and cache."""

    kind: Kind
    heads: int
    kv_heads: int
    size: int
    rotary: bool = True
    normed: bool = False
    eps: float = 1e-6
    scale: float = 1.0
    softcap: float = 0.0

    @property
    def group(self) -> int:
        return self.heads // self.kv_heads


@functools.cache
def norm_kernel(kind: Kind, width: int, eps: float, centred: bool, added: bool) -> Kernel:
    """RMSNorm, or LayerNorm where `centred`; `added` adds the row of `other`.

    Arguments: tokens, input, weight (float32), bias (float32, only if centred), other (only if added), output.
    """
    lanes = width_of(width)
    item = ITEM_BYTES[kind]

    def write(code: Code) -> None:
        tokens, source, weight, bias, other, target = (code.argument(index) for index in range(6))
        thread, threads = code.thread()
        with code.loop(thread, tokens, threads) as token:
            row = source + token * (width * item)
            total, squares = Sum(code, code.constant(0, lanes)), Sum(code, code.constant(0, lanes))
            with code.loop(0, width, lanes) as at:
                piece = code.load(kind, row + at * item, lanes)
                squares.set(piece.times_plus(piece, squares.get()))
                if centred:
                    total.set(total.get() + piece)
            mean = total.get().total() * (1 / width)
            if centred:  # a second pass: the difference of two large sums would lose what counts
                squares.set(code.constant(0, lanes))
                with code.loop(0, width, lanes) as at:
                    piece = code.load(kind, row + at * item, lanes) - mean
                    squares.set(piece.times_plus(piece, squares.get()))
            factor = (squares.get().total() * (1 / width) + eps).inverse_root()
            with code.loop(0, width, lanes) as at:
                piece = code.load(kind, row + at * item, lanes)
                piece = (piece - mean if centred else piece) * factor
                piece = piece * code.load("float32", weight + at * FLOAT, lanes)
                if centred:
                    piece = piece + code.load("float32", bias + at * FLOAT, lanes)
                if added:
                    piece = piece + code.load(kind, other + (token * width + at) * item, lanes)
                code.store(kind, target + (token * width + at) * item, piece)

    return compiled(f"norm_{kind}_{width}", write)


@functools.cache
def place_kernel(shape: HeadShape) -> Kernel:
    """Turn the queries and keys of new tokens to their positions, and put keys and values into the cache.

    Arguments: tokens, input [tokens, (heads + 2 · kv_heads) · size], positions (int32), rows (int32), tables (int32),
    blocks of a table row, angles (float32 [positions, size]: cosines, then sines), query norm, key norm (float32),
    queries out (float32 [tokens, heads · size], scaled), keys, values.
    """
    item, size = ITEM_BYTES[shape.kind], shape.size
    stride = (shape.heads + 2 * shape.kv_heads) * size * item

    def write(code: Code) -> None:
        names = [code.argument(index) for index in range(12)]
        tokens, source, positions, rows, tables, per_row, angles, query_norm, key_norm, queries, keys, values = names
        thread, threads = code.thread()
        with code.loop(thread, tokens, threads) as token:
            position = code.int32_at(positions + token * 4)
            entry = code.int32_at(rows + token * 4) * per_row + position // BLOCK
            block, offset = code.int32_at(tables + entry * 4), position % BLOCK
            turn = angles + position * (size * FLOAT)
            row = source + token * stride
            with code.loop(0, shape.heads) as head:
                out = queries + (token * shape.heads + head) * (size * FLOAT)
                for at, piece in _turned(code, shape, row + head * (size * item), turn, query_norm):
                    code.store("float32", out + at * FLOAT, piece * shape.scale)
            with code.loop(0, shape.kv_heads) as head:
                out = keys + ((block * shape.kv_heads + head) * (size * BLOCK) + offset) * item
                start = row + (head + shape.heads) * (size * item)
                for at, piece in _turned(code, shape, start, turn, key_norm):
                    code.scatter(shape.kind, out + at * (BLOCK * item), BLOCK * item, piece)
                out = values + ((block * shape.kv_heads + head) * BLOCK + offset) * (size * item)
                start = row + (head + (shape.heads + shape.kv_heads)) * (size * item)
                lanes = width_of(size)
                for at in range(0, size, lanes):
                    piece = code.load(shape.kind, start + at * item, lanes)
                    code.store(shape.kind, out + at * item, piece)

    return compiled("place", write)


def _turned(code: Code, shape: HeadShape, start: Int, turn: Int, weight: Int) -> list[tuple[int, Vec]]:
    """One head, normed and rotated (Su et al. 2021, in halves as in GPT-NeoX): (first component, vector) pairs."""
    half, item = shape.size // 2, ITEM_BYTES[shape.kind]
    lanes = width_of(half) if shape.rotary else width_of(shape.size)
    pieces = {at: code.load(shape.kind, start + at * item, lanes) for at in range(0, shape.size, lanes)}
    if shape.normed:
        squares = code.constant(0, lanes)
        for piece in pieces.values():
            squares = piece.times_plus(piece, squares)
        factor = (squares.total() * (1 / shape.size) + shape.eps).inverse_root()
        for at, piece in pieces.items():
            pieces[at] = piece * factor * code.load("float32", weight + at * FLOAT, lanes)
    if not shape.rotary:
        return list(pieces.items())
    turned: dict[int, Vec] = {}
    for at in range(0, half, lanes):
        cosine = code.load("float32", turn + at * FLOAT, lanes)
        sine = code.load("float32", turn + (at + half) * FLOAT, lanes)
        left, right = pieces[at], pieces[at + half]
        turned[at] = left * cosine - right * sine
        turned[at + half] = right * cosine + left * sine
    return list(turned.items())


@functools.cache
def attend_kernel(shape: HeadShape) -> Kernel:
    """Softmax attention of single queries over the blocks of their sequences.

    Prompts are attended in the same way, each token straight from the cache: gathering keys and values and multiplying
    them as matrices with torch's `scaled_dot_product_attention` took 1.5 to 5 times as long.

    Arguments: tokens, queries (float32 [tokens, heads · size]), keys, values, rows (int32), tables (int32), blocks of
    a table row, lengths (int32, positions that a token sees, itself included), window (0 for none), scratch (float32),
    bytes of scratch per thread (a multiple of 4 · MOST_HEADS), output [tokens, heads · size].
    """
    together = next(count for count in range(min(shape.group, MOST_HEADS), 0, -1) if shape.group % count == 0)
    parts = shape.group // together
    item, size = ITEM_BYTES[shape.kind], shape.size

    def write(code: Code) -> None:
        names = [code.argument(index) for index in range(12)]
        tokens, queries, keys, values, rows, tables, per_row, lengths, window, scratch, room, output = names
        thread, threads = code.thread()
        weights = scratch + thread * room
        stride = room // MOST_HEADS
        with code.loop(thread, tokens * (shape.kv_heads * parts), threads) as work:
            token, head = work // (shape.kv_heads * parts), work % (shape.kv_heads * parts)
            length = code.int32_at(lengths + token * 4)
            # Without a window the limit lies before the first position.
            limit = code.integer(shape_window(code, window, length))
            table = tables + code.int32_at(rows + token * 4) * per_row * 4
            at = (token * shape.heads + head * together) * size
            span = Span(limit // BLOCK, (length + (BLOCK - 1)) // BLOCK, limit, length, table)
            cache = (head // parts) * (size * BLOCK * item)
            tops = _scores(code, shape, together, span, queries + at * FLOAT, keys + cache, weights, stride)
            sums = _softmax(code, span, tops, weights, stride)
            _weigh(code, shape, span, sums, values + cache, weights, stride, output + at * item)

    return compiled("attend", write)


def shape_window(code: Code, window: Int, length: Int) -> Int:
    """Return the first position that a token sees: 0, or where its window begins."""
    beginning = (length - window).at_least(0)
    none = code.ir.icmp_signed("==", window.value, code.integer(0).value)
    return Int(code, code.ir.select(none, code.integer(0).value, beginning.value))


@dataclass(frozen=True, slots=True)
class Span:
    """The blocks [start, stop) of a sequence, of which positions [first, last) count; `table` names them."""

    start: Int
    stop: Int
    first: Int
    last: Int
    table: Int


def _scores(
    code: Code, shape: HeadShape, heads: int, span: Span, queries: Int, keys: Int, weights: Int, stride: Int
) -> list[Vec]:
    """Write queries · keys to `weights` and return each head's largest."""
    item, size = ITEM_BYTES[shape.kind], shape.size
    tops = [Sum(code, code.constant(MINUS_INFINITY, WIDTH)) for _ in range(heads)]
    unrolled = width_of(size)
    with code.loop(span.start, span.stop) as number:
        block = code.int32_at(span.table + number * 4)
        start = keys + block * (shape.kv_heads * size * BLOCK * item)
        sums = [[Sum(code, code.constant(0, WIDTH)) for _ in range(2)] for _ in range(heads)]
        with code.loop(0, size, unrolled) as first:
            for step in range(unrolled):
                key = code.load(shape.kind, start + (first + step) * (BLOCK * item), WIDTH)
                for head in range(heads):
                    query = code.broadcast(queries + (first + (step + head * size)) * FLOAT, WIDTH)
                    target = sums[head][step % 2]
                    target.set(key.times_plus(query, target.get()))
        for head in range(heads):
            score = sums[head][0].get() + sums[head][1].get()
            if shape.softcap:
                score = (score * (1 / shape.softcap)).tanh() * shape.softcap
            score = code.between(number * BLOCK, span.first, span.last, score, MINUS_INFINITY)
            tops[head].set(score.larger(tops[head].get()))
            code.store("float32", weights + stride * head + (number - span.start) * (BLOCK * FLOAT), score)
    return [top.get().largest() for top in tops]


def _softmax(code: Code, span: Span, tops: list[Vec], weights: Int, stride: Int) -> list[Vec]:
    """Turn scores into unnormalised weights and return their sums."""
    sums = []
    for head, top in enumerate(tops):
        total = Sum(code, code.constant(0, WIDTH))
        with code.loop(0, span.stop - span.start) as number:
            place = weights + stride * head + number * (BLOCK * FLOAT)
            weight = (code.load("float32", place, WIDTH) - top).exp()
            weight = code.between((number + span.start) * BLOCK, span.first, span.last, weight, 0.0)
            code.store("float32", place, weight)
            total.set(total.get() + weight)
        sums.append(total.get().total())
    return sums


def _weigh(
    code: Code, shape: HeadShape, span: Span, sums: list[Vec], values: Int, weights: Int, stride: Int, output: Int
) -> None:
    """Write the weighted mean of the values. Positions that do not count are not read: they may hold anything."""
    item, size, heads = ITEM_BYTES[shape.kind], shape.size, len(sums)
    lanes = width_of(size)
    columns = max(1, MOST_SUMS // heads)
    for left in range(0, size, lanes * columns):
        pieces = range(left, min(size, left + lanes * columns), lanes)
        totals = {(head, at): Sum(code, code.constant(0, lanes)) for head in range(heads) for at in pieces}
        with code.loop(span.start, span.stop) as number:
            block = code.int32_at(span.table + number * 4)
            begin = (span.first - number * BLOCK).at_least(0)
            end = (span.last - number * BLOCK).at_most(BLOCK)
            with code.loop(begin, end) as offset:
                row = values + block * (shape.kv_heads * size * BLOCK * item) + offset * (size * item)
                place = ((number - span.start) * BLOCK + offset) * FLOAT
                shares = [code.broadcast(weights + stride * head + place, lanes) for head in range(heads)]
                for at in pieces:
                    value = code.load(shape.kind, row + at * item, lanes)
                    for head, share in enumerate(shares):
                        total = totals[head, at]
                        total.set(value.times_plus(share, total.get()))
        for (head, at), total in totals.items():
            inverse = code.constant(1.0, lanes) / _narrow(code, sums[head], lanes)
            code.store(shape.kind, output + (head * size + at) * item, total.get() * inverse)


def _narrow(code: Code, vector: Vec, lanes: int) -> Vec:
    """Return the first lanes of a vector whose lanes are all alike."""
    from llvmlite import ir

    mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return Vec(code, code.ir.shuffle_vector(vector.value, vector.value, mask))
