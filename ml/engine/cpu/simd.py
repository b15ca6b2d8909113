"""A small vector language for the processor's kernels, compiled by LLVM when the engine starts.

A machine that runs Millrace has no C compiler, and torch has no operation for "one query against keys that lie in
blocks all over the cache". Kernels are therefore written as Python functions over `Int` and `Vec`, which stand for
64-bit integers (counts, addresses) and vectors of float32. Loops written in Python are unrolled; `Code.loop` makes a
loop of the machine's. Nothing here checks a bound.
"""

from __future__ import annotations

import ctypes
import functools
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import llvmlite.binding as llvm
import torch
from llvmlite import ir

from ml.types import ModelUnavailable

Kind = Literal["float32", "bfloat16"]
ITEM_BYTES: dict[Kind, int] = {"float32": 4, "bfloat16": 2}
WIDTH = 16
OPENMP = ("omp_get_thread_num", "omp_get_num_threads")

I16, I32, I64, F32 = ir.IntType(16), ir.IntType(32), ir.IntType(64), ir.FloatType()
# Sums may be taken in any order; numbers that are not numbers keep their meaning, for a poisoned row must show.
FAST = ("contract", "reassoc", "nsz", "arcp")


def width_of(*sizes: int) -> int:
    """Return the widest vector, at most 16 lanes, that divides every size."""
    return math.gcd(WIDTH, *sizes)


@dataclass(frozen=True)
class Int:
    """A 64-bit integer of the compiled code."""

    code: Code
    value: Any

    def __add__(self, other: Int | int) -> Int:
        return Int(self.code, self.code.ir.add(self.value, self.code.integer(other).value))

    def __sub__(self, other: Int | int) -> Int:
        return Int(self.code, self.code.ir.sub(self.value, self.code.integer(other).value))

    def __mul__(self, other: Int | int) -> Int:
        return Int(self.code, self.code.ir.mul(self.value, self.code.integer(other).value))

    def __floordiv__(self, other: Int | int) -> Int:
        return Int(self.code, self.code.ir.sdiv(self.value, self.code.integer(other).value))

    def __mod__(self, other: Int | int) -> Int:
        return Int(self.code, self.code.ir.srem(self.value, self.code.integer(other).value))

    def at_least(self, other: Int | int) -> Int:
        return self._choose(">", other)

    def at_most(self, other: Int | int) -> Int:
        return self._choose("<", other)

    def _choose(self, how: str, other: Int | int) -> Int:
        right = self.code.integer(other).value
        better = self.code.ir.icmp_signed(how, self.value, right)
        return Int(self.code, self.code.ir.select(better, self.value, right))


@dataclass(frozen=True)
class Vec:
    """A vector of float32."""

    code: Code
    value: Any

    @property
    def width(self) -> int:
        return int(self.value.type.count)

    def __add__(self, other: Vec | float) -> Vec:
        return Vec(self.code, self.code.ir.fadd(self.value, self._same(other), flags=FAST))

    def __sub__(self, other: Vec | float) -> Vec:
        return Vec(self.code, self.code.ir.fsub(self.value, self._same(other), flags=FAST))

    def __mul__(self, other: Vec | float) -> Vec:
        return Vec(self.code, self.code.ir.fmul(self.value, self._same(other), flags=FAST))

    def __truediv__(self, other: Vec | float) -> Vec:
        return Vec(self.code, self.code.ir.fdiv(self.value, self._same(other), flags=FAST))

    def times_plus(self, factor: Vec, addend: Vec | float) -> Vec:
        """Return self · factor + addend in one instruction."""
        kind = self.value.type
        fma = self.code.function(f"llvm.fma.v{self.width}f32", kind, [kind] * 3)
        return Vec(self.code, self.code.ir.call(fma, [self.value, factor.value, self._same(addend)]))

    def larger(self, other: Vec) -> Vec:
        """Return the larger of each pair; what is not a number stays so where it stands on the left."""
        less = self.code.ir.fcmp_ordered("<", self.value, other.value)
        return Vec(self.code, self.code.ir.select(less, other.value, self.value))

    def total(self) -> Vec:
        """Return the sum of all lanes in every lane."""
        return self._reduce(lambda left, right: left + right)

    def largest(self) -> Vec:
        """Return the largest lane in every lane."""
        return self._reduce(lambda left, right: left.larger(right))

    def _reduce(self, combine: Callable[[Vec, Vec], Vec]) -> Vec:
        found, step = self, 1
        while step < self.width:
            lanes = [lane ^ step for lane in range(self.width)]
            mask = ir.Constant(ir.VectorType(I32, self.width), lanes)
            turned = self.code.ir.shuffle_vector(found.value, found.value, mask)
            found, step = combine(found, Vec(self.code, turned)), step * 2
        return found

    def inverse_root(self) -> Vec:
        kind = self.value.type
        root = self.code.function(f"llvm.sqrt.v{self.width}f32", kind, [kind])
        return self._same_vec(1.0) / Vec(self.code, self.code.ir.call(root, [self.value]))

    def exp(self) -> Vec:
        """Return e to the power of each lane x, to about 1e-7 · (2 + |x|) relative; below -87 it is e to the -87.

        2 to the power of the fraction by the series of exp(x ln 2), the whole part straight into the exponent bits.
        """
        code, width = self.code, self.width
        floor = code.function(f"llvm.floor.v{width}f32", self.value.type, [self.value.type])
        scaled = self.larger(self._same_vec(-87.0)) * math.log2(math.e)
        whole = Vec(code, code.ir.call(floor, [(scaled + 0.5).value]))
        part = scaled - whole
        result = self._same_vec(math.log(2) ** 7 / math.factorial(7))
        for order in range(6, -1, -1):
            result = result.times_plus(part, math.log(2) ** order / math.factorial(order))
        ints = ir.VectorType(I32, width)
        bits = code.ir.add(code.ir.fptosi(whole.value, ints), ir.Constant(ints, [127] * width))
        power = code.ir.bitcast(code.ir.shl(bits, ir.Constant(ints, [23] * width)), self.value.type)
        return result * Vec(code, power)

    def tanh(self) -> Vec:
        """Return the hyperbolic tangent of each lane."""
        doubled = self * 2.0
        clamped = self._same_vec(0.0) - (self._same_vec(0.0) - doubled).larger(self._same_vec(-80.0))
        return self._same_vec(1.0) - self._same_vec(2.0) / (clamped.exp() + 1.0)

    def _same_vec(self, number: float) -> Vec:
        return self.code.constant(number, self.width)

    def _same(self, other: Vec | float) -> Any:
        return other.value if isinstance(other, Vec) else self._same_vec(other).value


class Sum:
    """A vector that a loop adds to; it lives in a register."""

    def __init__(self, code: Code, start: Vec) -> None:
        self._code, self._place = code, code.variable(start.value.type)
        self.set(start)

    def get(self) -> Vec:
        return Vec(self._code, self._code.ir.load(self._place))

    def set(self, value: Vec) -> None:
        self._code.ir.store(value.value, self._place)


class Code:
    """One kernel under construction: `void kernel(int64_t *arguments)`."""

    def __init__(self, name: str) -> None:
        self.module = ir.Module(name=name)
        self.module.triple = llvm.get_process_triple()
        kernel = ir.Function(self.module, ir.FunctionType(ir.VoidType(), [I64.as_pointer()]), name=name)
        self._arguments = kernel.args[0]
        self._entry = kernel.append_basic_block("entry")
        body = kernel.append_basic_block("body")
        self.ir = ir.IRBuilder(body)
        self._kernel, self._body = kernel, body

    def finish(self) -> str:
        self.ir.ret_void()
        ir.IRBuilder(self._entry).branch(self._body)
        return str(self.module)

    def function(self, name: str, result: Any, arguments: list[Any]) -> Any:
        """Return a function from outside, or an instruction of LLVM's own."""
        known = self.module.globals.get(name)
        return known or ir.Function(self.module, ir.FunctionType(result, arguments), name=name)

    def variable(self, kind: Any) -> Any:
        builder = ir.IRBuilder(self._entry)
        return builder.alloca(kind)

    # ------------------------------------------------------------ integers

    def integer(self, value: Int | int) -> Int:
        return value if isinstance(value, Int) else Int(self, ir.Constant(I64, value))

    def argument(self, index: int) -> Int:
        return Int(self, self.ir.load(self.ir.gep(self._arguments, [ir.Constant(I64, index)])))

    def thread(self) -> tuple[Int, Int]:
        """Return the number of this thread and how many there are."""
        found = []
        for name in OPENMP:
            call = self.ir.call(self.function(name, I32, []), [])
            found.append(Int(self, self.ir.sext(call, I64)))
        return found[0], found[1]

    @contextmanager
    def loop(self, start: Int | int, stop: Int | int, step: Int | int = 1) -> Iterator[Int]:
        """Repeat what is written inside for start, start + step, … below stop."""
        place = self.variable(I64)
        self.ir.store(self.integer(start).value, place)
        check, inside, after = (self._kernel.append_basic_block(name) for name in ("check", "inside", "after"))
        self.ir.branch(check)
        self.ir.position_at_end(check)
        index = Int(self, self.ir.load(place))
        self.ir.cbranch(self.ir.icmp_signed("<", index.value, self.integer(stop).value), inside, after)
        self.ir.position_at_end(inside)
        yield index
        self.ir.store((index + step).value, place)
        self.ir.branch(check)
        self.ir.position_at_end(after)

    def int32_at(self, address: Int) -> Int:
        return Int(self, self.ir.sext(self.ir.load(self._pointer(address, I32)), I64))

    # ------------------------------------------------------------ vectors

    def constant(self, number: float, width: int) -> Vec:
        return Vec(self, ir.Constant(ir.VectorType(F32, width), [number] * width))

    def load(self, kind: Kind, address: Int, width: int) -> Vec:
        if kind == "float32":
            place = self._pointer(address, ir.VectorType(F32, width))
            return Vec(self, self.ir.load(place, align=4))
        short = self.ir.load(self._pointer(address, ir.VectorType(I16, width)), align=2)
        ints = ir.VectorType(I32, width)
        bits = self.ir.shl(self.ir.zext(short, ints), ir.Constant(ints, [16] * width))
        return Vec(self, self.ir.bitcast(bits, ir.VectorType(F32, width)))

    def store(self, kind: Kind, address: Int, vector: Vec) -> None:
        value = vector.value if kind == "float32" else self._rounded(vector)
        self.ir.store(value, self._pointer(address, value.type), align=ITEM_BYTES[kind])

    def scatter(self, kind: Kind, address: Int, stride_bytes: int, vector: Vec) -> None:
        """Store each lane `stride_bytes` after the one before."""
        value = vector.value if kind == "float32" else self._rounded(vector)
        for lane in range(vector.width):
            single = self.ir.extract_element(value, ir.Constant(I32, lane))
            self.ir.store(single, self._pointer(address + lane * stride_bytes, single.type), align=ITEM_BYTES[kind])

    def broadcast(self, address: Int, width: int) -> Vec:
        """Return one float32 of memory in every lane."""
        number = self.ir.load(self._pointer(address, F32), align=4)
        kind = ir.VectorType(F32, width)
        one = self.ir.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(I32, 0))
        zeros = ir.Constant(ir.VectorType(I32, width), [0] * width)
        return Vec(self, self.ir.shuffle_vector(one, one, zeros))

    def between(self, start: Int, first: Int, stop: Int, vector: Vec, otherwise: float) -> Vec:
        """Keep the lanes whose number start + lane lies in [first, stop); the others become `otherwise`."""
        width = vector.width
        ints = ir.VectorType(I64, width)
        kept: Any = None
        numbers = self.ir.add(self._splat_int(start, width), ir.Constant(ints, list(range(width))))
        for how, bound in ((">=", first), ("<", stop)):
            fits = self.ir.icmp_signed(how, numbers, self._splat_int(bound, width))
            kept = fits if kept is None else self.ir.and_(kept, fits)
        return Vec(self, self.ir.select(kept, vector.value, self.constant(otherwise, width).value))

    def _splat_int(self, number: Int, width: int) -> Any:
        kind = ir.VectorType(I64, width)
        one = self.ir.insert_element(ir.Constant(kind, ir.Undefined), number.value, ir.Constant(I32, 0))
        return self.ir.shuffle_vector(one, one, ir.Constant(ir.VectorType(I32, width), [0] * width))

    def _rounded(self, vector: Vec) -> Any:
        """Round to bfloat16, halves to even; what is not a number stays so."""
        width = vector.width
        ints = ir.VectorType(I32, width)

        def every(number: int) -> Any:
            return ir.Constant(ints, [number] * width)

        bits = self.ir.bitcast(vector.value, ints)
        odd = self.ir.and_(self.ir.lshr(bits, every(16)), every(1))
        rounded = self.ir.lshr(self.ir.add(bits, self.ir.add(odd, every(0x7FFF))), every(16))
        wrong = self.ir.fcmp_unordered("uno", vector.value, vector.value)
        chosen = self.ir.select(wrong, every(0x7FC0), rounded)
        return self.ir.trunc(chosen, ir.VectorType(I16, width))

    def _pointer(self, address: Int, kind: Any) -> Any:
        return self.ir.inttoptr(address.value, kind.as_pointer())


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel; call it with the address of its arguments (int64) and a number of threads."""

    address: int
    keep: Any

    def __call__(self, arguments: int, threads: int) -> None:
        _openmp().GOMP_parallel(self.address, arguments, threads, 0)


_compiling = threading.Lock()


def compiled(name: str, write: Callable[[Code], None]) -> Kernel:
    """Compile the kernel that `write` writes, for this very processor."""
    code = Code(name)
    write(code)
    with _compiling:
        machine = _machine()
        module = llvm.parse_assembly(code.finish())
        module.verify()
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = options.slp_vectorization = False  # the code is vectors already
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        return Kernel(engine.get_function_address(name), engine)


@functools.cache
def _openmp() -> Any:
    """The OpenMP runtime that torch has loaded: its threads are the ones to use, a second pool would fight it.

    torch shares it with the whole process. GNU's, Intel's and LLVM's all have these functions on Linux.
    """
    library = ctypes.CDLL(None)
    missing = [name for name in ("GOMP_parallel", *OPENMP) if not hasattr(library, name)]
    if missing or not torch.backends.openmp.is_available():
        raise ModelUnavailable(f"the engine needs a torch with OpenMP, on Linux (missing: {', '.join(missing)})")
    library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    library.GOMP_parallel.restype = None
    return library


def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name in OPENMP:
        llvm.add_symbol(name, ctypes.cast(getattr(_openmp(), name), ctypes.c_void_p).value)
    features = llvm.get_host_cpu_features().flatten()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(cpu=llvm.get_host_cpu_name(), features=features, opt=3, jit=True)
