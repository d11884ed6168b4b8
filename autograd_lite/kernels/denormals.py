"""Numbers too small for a full mantissa, which processors treat as zeros if told to.

Arithmetic on denormals traps into microcode: a convolution that meets them everywhere
took 50 to 200 times as long. Kernels switch them off for their thread and restore what
was there before they return; the caller's own arithmetic never notices.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils

from .micro import emitted

_WORD, _HALF = ir.IntType(64), ir.IntType(32)

# Flush to zero and denormals are zero, in x86's MXCSR; FZ in ARM's FPCR.
_X86_BITS, _ARM_BITS = 0x8040, 1 << 24


def _is_x86() -> bool:
    return llvm.get_process_triple().startswith(("x86_64", "i386", "i686"))


def _is_arm() -> bool:
    return llvm.get_process_triple().startswith(("aarch64", "arm64"))


def _function(builder: ir.IRBuilder, name: str, result: Any, *kinds: Any) -> Any:
    kind = ir.FunctionType(result, kinds)
    return cgutils.get_or_insert_function(builder.module, kind, name)


def _read(builder: ir.IRBuilder) -> ir.Value:
    """Emit a read of the floating-point unit's modes."""
    if _is_x86():
        cell = cgutils.alloca_once(builder, _HALF)
        store = _function(
            builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), _HALF.as_pointer()
        )
        builder.call(store, [cell])
        return builder.zext(builder.load(cell, typ=_HALF), _WORD)
    if _is_arm():
        return builder.call(_function(builder, "llvm.aarch64.get.fpcr", _WORD), [])
    return _WORD(0)


def _write(builder: ir.IRBuilder, modes: ir.Value) -> None:
    """Emit the instruction that sets the floating-point unit's modes."""
    if _is_x86():
        cell = cgutils.alloca_once(builder, _HALF)
        builder.store(builder.trunc(modes, _HALF), cell)
        load = _function(
            builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), _HALF.as_pointer()
        )
        builder.call(load, [cell])
    elif _is_arm():
        store = _function(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), _WORD)
        builder.call(store, [modes])


@emitted
def flush(typing_context: Any) -> Any:
    """Take denormals for zeros from here on; return the modes to `restore`."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        modes = _read(builder)
        bits = _X86_BITS if _is_x86() else _ARM_BITS
        _write(builder, builder.or_(modes, _WORD(bits)))
        return modes

    return types.int64(), emit


@emitted
def exact(typing_context: Any) -> Any:
    """Take denormals for what they are: for a task that compares and does no more.

    What called the task restores the modes.
    """

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = _X86_BITS if _is_x86() else _ARM_BITS
        _write(builder, builder.and_(_read(builder), _WORD(~bits)))
        return context.get_dummy_value()

    return types.void(), emit


@emitted
def restore(typing_context: Any, modes: Any) -> Any:
    """Set the modes that `flush` returned."""

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _write(builder, arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64), emit
