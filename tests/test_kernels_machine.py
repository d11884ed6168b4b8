"""Tiles by machine: which one a processor gets, and what code ARM's becomes."""

import os
import re
import subprocess
import sys

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir

from autograd_lite.kernels import micro, sliding

LINUX_X86, LINUX_ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"

# As LLVM tells them of each processor: those that matter, and some that don't.
PROCESSORS = {
    "Apple M1, macOS": ("arm64-apple-darwin23.1.0", "", "neon"),
    "Apple M1, Linux": (LINUX_ARM, "neon fp-armv8 lse fullfp16 dotprod", "neon"),
    "Graviton2": (LINUX_ARM, "neon crc crypto lse fullfp16 dotprod", "neon"),
    "Graviton3": (LINUX_ARM, "neon sve fullfp16 bf16 i8mm dotprod", "neon"),
    "a silent ARM": (LINUX_ARM, "", "neon"),
    "Skylake server": (LINUX_X86, "avx avx2 fma avx512f avx512vl avx512bw", "avx512"),
    "Zen 4": (LINUX_X86, "avx avx2 fma avx512f avx512vl avx512bf16", "avx512"),
    "Knights Landing": (LINUX_X86, "avx avx2 fma avx512f avx512er", "avx2"),
    "Zen 2": (LINUX_X86, "avx avx2 fma sse4a bmi2", "avx2"),
    "Skylake": ("x86_64-apple-darwin20.6.0", "avx avx2 fma bmi2", "avx2"),
    "Haswell": ("x86_64-pc-windows-msvc", "avx avx2 fma bmi2", "avx2"),
    "Ivy Bridge": (LINUX_X86, "sse4.2 avx f16c", "generic"),
    "Nehalem": (LINUX_X86, "sse2 sse4.2 popcnt", "generic"),
    "POWER9": ("powerpc64le-unknown-linux-gnu", "altivec vsx", "generic"),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_each_processor_gets_its_widest_vectors(name):
    triple, present, expected = PROCESSORS[name]
    features = dict.fromkeys(["avx", "avx2", "fma", "avx512f", "avx512vl"], False)
    features |= dict.fromkeys(present.split(), True)
    assert micro.widest(triple, features) == expected


@pytest.mark.parametrize("machine", micro.MACHINES.values(), ids=lambda m: m.name)
def test_tiles_leave_room_in_the_registers(machine):
    for vectors in (1, 2):
        used = machine.rows(vectors) * vectors + vectors + 1
        assert machine.registers // 2 <= used <= machine.registers


def assembly(emit, tile, arguments):
    """Return the code of a tile's instructions, compiled for a 64-bit ARM."""
    word = ir.IntType(64)
    module = ir.Module()
    module.triple = LINUX_ARM
    kind = ir.FunctionType(ir.VoidType(), [word] * sum(arguments))
    function = ir.Function(module, kind, "tile")
    builder, values = ir.IRBuilder(function.append_basic_block()), iter(function.args)
    emit(builder, tile, [[next(values) for _ in range(n)] for n in arguments])
    builder.ret_void()
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    target = llvm.Target.from_triple(LINUX_ARM)
    machine = target.create_target_machine(features="+neon", opt=3)
    parsed = llvm.parse_assembly(str(module))
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return machine.emit_assembly(parsed)


def innermost_loop(code):
    """Return the lines of the loop that has the most multiply-adds."""
    blocks = re.split(r"^\.L\w+:.*$", code, flags=re.MULTILINE)
    block = max(blocks, key=lambda lines: len(re.findall(r"\sfmla", lines)))
    lines = block.strip().splitlines()
    end = next(i for i, line in enumerate(lines) if re.match(r"\s+b\.", line))
    return lines[: end + 1]


MULTIPLY = (5, 3, 2, 2, 2, 1)  # numbers in each of the arguments of `multiply`


@pytest.fixture
def neon(monkeypatch):
    """Emit as on ARM, which has no masked loads."""
    monkeypatch.setattr(micro, "machine", lambda: micro.MACHINES["neon"])


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "tail"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_on_arm_a_tile_stays_in_vector_registers(neon, dtype, masked):
    found, size = micro.machine(), np.dtype(dtype).itemsize
    lanes, vectors = found.vector_bytes // size, 2
    rows = found.rows(vectors)
    tile = micro.Tile(rows, vectors, lanes, size, masked)
    loop = innermost_loop(assembly(micro._emit, tile, MULTIPLY))
    arrangement = "4s" if size == 4 else "2d"
    products = [
        line for line in loop if re.search(rf"fmla\s+v\d+\.{arrangement}", line)
    ]
    assert len(products) == rows * vectors
    assert not [line for line in loop if "[sp" in line]


def test_on_arm_a_column_of_sums_stays_in_vector_registers(neon):
    rows = micro.machine().alone // 3
    tile = micro.Tile(rows, 1, 4, 4, bands=3)
    loop = innermost_loop(assembly(micro._emit, tile, MULTIPLY))
    assert len([line for line in loop if "fmla" in line]) == 3 * rows
    assert not [line for line in loop if "[sp" in line]


@pytest.mark.parametrize("alone", [False, True], ids=["all channels", "each alone"])
@pytest.mark.parametrize(
    "emit, arguments, tile",
    [
        (sliding._emit_slide, (4, 4, 2, 2, 2, 1), micro.Tile(14, 1, 4, 4)),
        (sliding._emit_sums, (6, 3, 4, 2, 1), micro.Tile(1, 1, 4, 4, bands=3)),
    ],
    ids=["slide", "sums"],
)
def test_on_arm_a_sliding_tile_stays_in_vector_registers(
    neon, emit, arguments, tile, alone
):
    form = sliding.Slide(taps=3, alone=alone)

    def emitted(builder, tile, values):
        emit(sliding._Emitter(builder, tile, form), values)

    loop = innermost_loop(assembly(emitted, tile, arguments))
    products = [line for line in loop if re.search(r"fmla\s+v\d+\.4s", line)]
    assert len(products) == 3 * tile.rows * tile.bands
    assert not [line for line in loop if "[sp" in line]


def test_an_unknown_variant_is_refused_with_the_known_ones():
    environment = {**os.environ, "AUTOGRAD_LITE_KERNELS": "sse"}
    code = "from autograd_lite.kernels import micro; micro.machine()"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode != 0
    assert "'sse'" in run.stderr
    assert all(repr(name) in run.stderr for name in (*micro.MACHINES, "generic"))
