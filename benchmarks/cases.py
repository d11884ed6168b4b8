"""What is measured: plain descriptions that every contender turns into its own code."""

from dataclasses import dataclass
from math import prod

import numpy as np

from benchmarks import transforms
from benchmarks.transforms import Transform

Params = dict[str, dict[str, np.ndarray]]

CHAIN_LINKS = 100


@dataclass(frozen=True)
class Chain:
    """Gradient of sum(tanh(x * w + b) applied 100 times) with respect to x, w, b."""

    size: int

    kind = "chain"
    unit = "µs/op"
    # Three operations a link; each is recorded and differentiated.
    scale = 1e6 / (3 * CHAIN_LINKS)
    flops = 0

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"tanh(x*w+b), size {self.size}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, w and b, float64 vectors of `size` elements."""
        return np.ones(self.size), np.full(self.size, 0.9), np.full(self.size, 0.1)


@dataclass(frozen=True)
class Net:
    """A classifier of 28 x 28 images: blocks of 3x3 convolutions, then dense layers.

    Each block is one tuple of output channels and ends in a 2x2 max-pool; ReLU follows
    every layer but the last. The loss is the mean cross entropy.
    """

    name: str
    blocks: tuple[tuple[int, ...], ...]
    dense: tuple[int, ...]
    padding: str
    optimizer: str
    learning_rate: float
    weight_decay: float = 0.0

    @property
    def classes(self) -> int:
        """The width of the last layer."""
        return self.dense[-1]

    def pooled_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of what the dense layers read."""
        side = 28
        for block in self.blocks:
            side = (side - (2 * len(block) if self.padding == "VALID" else 0)) // 2
        return side, side, self.blocks[-1][-1]

    def init(self, seed: int = 0) -> Params:
        """He-initialised float32 parameters, conv weights (r, s, c, k)."""
        rng = np.random.default_rng(seed)
        channels = [1, *(k for block in self.blocks for k in block)]
        widths = [prod(self.pooled_shape()), *self.dense]
        shapes: dict[str, tuple[int, ...]] = {
            f"conv{i}": (3, 3, c, k)
            for i, (c, k) in enumerate(zip(channels, channels[1:]), 1)
        }
        dense = enumerate(zip(widths, widths[1:]), 1)
        shapes |= {f"dense{i}": shape for i, shape in dense}
        return {name: _layer(rng, shape) for name, shape in shapes.items()}


def _layer(rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    scale = np.sqrt(2 / prod(shape[:-1]))
    weights = rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)
    return {"w": weights, "b": np.zeros(shape[-1], np.float32)}


NETS = {
    net.name: net
    for net in [
        Net("lenet8", ((8,),), (128, 10), "VALID", "adam", 1e-3),
        Net("emnist16", ((16,),), (128, 64, 47), "VALID", "sgd", 1e-2, 1e-4),
        Net("deep", ((32, 32), (64, 64)), (256, 10), "SAME", "adam", 1e-3),
    ]
}


@dataclass(frozen=True)
class Step:
    """One training step: forward, backward, update; the loss comes back as a float."""

    net: str
    batch: int

    kind = "step"
    unit = "ms"
    scale = 1e3
    flops = 0

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.net}, batch {self.batch}"

    def batches(self, count: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
        """Images x: (n, 28, 28, 1) float32 in [0, 1) and labels y: (n,) int64."""
        rng = np.random.default_rng(1)
        classes = NETS[self.net].classes
        return [
            (
                rng.random((self.batch, 28, 28, 1), dtype=np.float32),
                rng.integers(0, classes, self.batch),
            )
            for _ in range(count)
        ]


@dataclass(frozen=True)
class Conv:
    """A convolution, or one of its two gradients, on x: (n, h, h, c) with k filters.

    `part` is "forward", "input grad" or "weight grad".
    """

    n: int
    c: int
    h: int
    k: int
    r: int
    part: str
    stride: int = 1
    pad: int = 0

    kind = "conv"
    unit = "ms"
    scale = 1e3

    @property
    def label(self) -> str:
        """How tables call it."""
        stride = f" /{self.stride}" if self.stride > 1 else ""
        shape = f"{self.n}x{self.h}x{self.h}x{self.c}"
        return f"conv {shape} -> {self.k}, {self.r}x{self.r}{stride}, {self.part}"

    @property
    def out(self) -> int:
        """Output height and width."""
        return (self.h + 2 * self.pad - self.r) // self.stride + 1

    @property
    def flops(self) -> int:
        """Multiplications and additions of one call."""
        return 2 * self.n * self.out**2 * self.k * self.r**2 * self.c

    def inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x: (n, h, h, c), w: (r, r, c, k) and a cotangent g: (n, out, out, k)."""
        rng = np.random.default_rng(0)
        shapes = [
            (self.n, self.h, self.h, self.c),
            (self.r, self.r, self.c, self.k),
            (self.n, self.out, self.out, self.k),
        ]
        x, w, g = (rng.standard_normal(s, dtype=np.float32) for s in shapes)
        return x, w, g


@dataclass(frozen=True)
class Pool:
    """A 2x2 max- or average-pool, or its gradient, on x: (n, h, h, c)."""

    name: str
    n: int
    h: int
    c: int
    part: str

    kind = "pool"
    unit = "ms"
    scale = 1e3
    flops = 0

    @property
    def label(self) -> str:
        """How tables call it."""
        shape = f"{self.n}x{self.h}x{self.h}x{self.c}"
        return f"{self.name}-pool 2x2 {shape}, {self.part}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """x: (n, h, h, c) and a cotangent g: (n, h // 2, h // 2, c)."""
        rng = np.random.default_rng(0)
        x = rng.standard_normal((self.n, self.h, self.h, self.c), dtype=np.float32)
        half = self.h // 2
        g = rng.standard_normal((self.n, half, half, self.c), dtype=np.float32)
        return x, g


@dataclass(frozen=True)
class Matmul:
    """The product of two float32 matrices (m, k) and (k, n)."""

    m: int
    k: int
    n: int

    kind = "matmul"
    unit = "ms"
    scale = 1e3

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"matmul {self.m}x{self.k} @ {self.k}x{self.n}"

    @property
    def flops(self) -> int:
        """Multiplications and additions of one call."""
        return 2 * self.m * self.k * self.n

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """The two matrices."""
        rng = np.random.default_rng(0)
        a = rng.standard_normal((self.m, self.k), dtype=np.float32)
        b = rng.standard_normal((self.k, self.n), dtype=np.float32)
        return a, b


@dataclass(frozen=True)
class Elementwise:
    """An elementwise function, or its gradient, on a float32 array."""

    name: str
    shape: tuple[int, ...]
    part: str

    kind = "elementwise"
    unit = "ms"
    scale = 1e3
    flops = 0

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.name} {'x'.join(map(str, self.shape))}, {self.part}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """x and a cotangent g, both of `shape`."""
        rng = np.random.default_rng(0)
        x, g = (rng.standard_normal(self.shape, dtype=np.float32) for _ in range(2))
        return x, g


Case = Chain | Step | Conv | Pool | Matmul | Elementwise | Transform

CONV_PARTS = ("forward", "input grad", "weight grad")
PARTS = ("forward", "grad")
CONV_SHAPES = [
    {"n": 64, "c": 1, "h": 28, "k": 16, "r": 3},
    {"n": 64, "c": 32, "h": 28, "k": 32, "r": 3, "pad": 1},
    {"n": 64, "c": 64, "h": 14, "k": 64, "r": 3, "pad": 1},
    {"n": 64, "c": 128, "h": 7, "k": 128, "r": 1},
    {"n": 16, "c": 3, "h": 224, "k": 64, "r": 7, "stride": 2, "pad": 3},
]

SUITES: dict[str, list[Case]] = {
    "overhead": [Chain(1), Chain(100)],
    "steps": [
        *(Step("lenet8", n) for n in (64, 128)),
        *(Step("emnist16", n) for n in (32, 64, 128, 512)),
        *(Step("deep", n) for n in (64, 128)),
    ],
    "primitives": [
        *(Conv(**shape, part=part) for shape in CONV_SHAPES for part in CONV_PARTS),
        *(Pool(p, 64, 28, 32, part) for p in ("max", "average") for part in PARTS),
        *(Matmul(*shape) for shape in [(64, 2704, 128), (64, 3136, 256), (512,) * 3]),
        *(
            Elementwise(name, (64, 28, 28, 32), part)
            for name in ("relu", "tanh", "exp")
            for part in PARTS
        ),
    ],
    "transforms": [*transforms.CASES],
}
