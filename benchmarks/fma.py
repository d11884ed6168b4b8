"""How fast the processor multiplies and adds, with nothing else to do.

Sixteen vectors, each multiplied and added to over and over: independent of one another,
so that no unit has to wait for a result. LLVM's own vectors, since a plain loop gets
half of AVX-512's width.
"""

from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

CHAINS = 16
TURNS = 100_000
WIDTHS = {"avx512f": 16, "avx2": 8}  # floats in a vector; others have four


def lanes() -> int:
    """Floats in the widest vector of this processor."""
    features = binding.get_host_cpu_features()
    return max((n for name, n in WIDTHS.items() if features.get(name)), default=4)


LANES = lanes()


# Numba's annotations make callers pass what only Numba passes.
emitted: Any = intrinsic


@emitted
def multiply_and_add(typing: Any, turns: Any) -> Any:
    """The sum of `CHAINS` vectors after so many turns; the sum is of no interest."""

    def code(context, builder, signature, args):
        vector = ir.VectorType(ir.FloatType(), LANES)
        kind = ir.FunctionType(vector, [vector] * 3)
        name = f"llvm.fma.v{LANES}f32"
        fma = cgutils.get_or_insert_function(builder.module, kind, name)
        half, one = (ir.Constant(vector, [x] * LANES) for x in (0.5, 1.0))
        # Equal ones would be computed once.
        starts = [ir.Constant(vector, [float(i)] * LANES) for i in range(CHAINS)]
        cells = [cgutils.alloca_once_value(builder, x) for x in starts]
        with cgutils.for_range(builder, args[0]):
            for cell in cells:
                x = builder.call(fma, [builder.load(cell), half, one])
                builder.store(x, cell)
        total = builder.load(cells[0])
        for cell in cells[1:]:
            total = builder.fadd(total, builder.load(cell))
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return types.float32(types.intp), code


@njit(nogil=True)
def on_one_thread(turns: int) -> float:
    """Run `multiply_and_add`, and let go of the interpreter's lock."""
    return multiply_and_add(turns)


OPERATIONS = 2 * TURNS * CHAINS * LANES  # of `on_one_thread(TURNS)`
