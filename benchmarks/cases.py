"""What is measured: plain descriptions that every contender turns into its own code."""

from dataclasses import dataclass
from math import prod

import numpy as np

from benchmarks import transforms
from benchmarks.nets import NETS
from benchmarks.transforms import Transform

CHAIN_LINKS = 100
ITEM = 4  # bytes of a float32


@dataclass(frozen=True)
class Chain:
    """Gradient of sum(tanh(x * w + b) applied 100 times) with respect to x, w, b."""

    size: int

    kind = "chain"
    unit = "µs/op"
    # Three operations a link; each is recorded and differentiated.
    scale = 1e6 / (3 * CHAIN_LINKS)
    flops = 0
    bytes = 0

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"tanh(x*w+b), size {self.size}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x, w and b, float64 vectors of `size` elements."""
        return np.ones(self.size), np.full(self.size, 0.9), np.full(self.size, 0.1)


@dataclass(frozen=True)
class Step:
    """One training step: forward, backward, update; the loss comes back as a float."""

    net: str
    batch: int

    kind = "step"
    unit = "ms"
    scale = 1e3

    @property
    def flops(self) -> int:
        """Those of the matrices and convolutions, forward and twice for the gradients.

        The first layer's input has no gradient.
        """
        sizes = NETS[self.net].sizes()
        return self.batch * (3 * sizes.flops - sizes.first)

    @property
    def bytes(self) -> int:
        """What every layer has to write, forward and back, if nothing is fused."""
        return 2 * ITEM * self.batch * NETS[self.net].sizes().values

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.net}, batch {self.batch}"

    def batches(self, count: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
        """Images x: (n, h, w, c) float32 in [0, 1) and labels y: (n,) int64."""
        rng = np.random.default_rng(1)
        net = NETS[self.net]
        return [
            (
                rng.random((self.batch, *net.image), dtype=np.float32),
                rng.integers(0, net.classes, self.batch),
            )
            for _ in range(count)
        ]


@dataclass(frozen=True)
class Epoch:
    """An epoch of so many steps by a recipe of `models`, its data and all.

    What is computed is the loss of each step.
    """

    recipe: str
    model: str
    batch: int
    steps: int

    kind = "epoch"
    unit = "ms/step"
    flops = 0

    @property
    def scale(self) -> float:
        """Turns the seconds of an epoch into milliseconds of a step."""
        return 1e3 / self.steps

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.recipe}: {self.model}, batch {self.batch}"


@dataclass(frozen=True)
class Conv:
    """A convolution, or one of its two gradients, on x: (n, h, h, c) with k filters.

    `part` is "forward", "input grad" or "weight grad"; with as many groups as channels
    it is depthwise.
    """

    n: int
    c: int
    h: int
    k: int
    r: int
    part: str
    stride: int = 1
    pad: int = 0
    groups: int = 1

    kind = "conv"
    unit = "ms"
    scale = 1e3

    @property
    def label(self) -> str:
        """How tables call it."""
        stride = f" /{self.stride}" if self.stride > 1 else ""
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        shape = f"{self.n}x{self.h}x{self.h}x{self.c}"
        window = f"{self.r}x{self.r}{stride}{groups}"
        return f"conv {shape} -> {self.k}, {window}, {self.part}"

    @property
    def out(self) -> int:
        """Output height and width."""
        return (self.h + 2 * self.pad - self.r) // self.stride + 1

    @property
    def flops(self) -> int:
        """Multiplications and additions of one call."""
        return 2 * self.n * self.out**2 * self.k * self.r**2 * self.c // self.groups

    @property
    def bytes(self) -> int:
        """Two of the three arrays are read and one is written, whatever the part."""
        return ITEM * sum(map(prod, self.shapes()))

    def shapes(self) -> list[tuple[int, ...]]:
        """Of x, of w and of the output."""
        return [
            (self.n, self.h, self.h, self.c),
            (self.r, self.r, self.c // self.groups, self.k),
            (self.n, self.out, self.out, self.k),
        ]

    def inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """x: (n, h, h, c), w: (r, r, c / groups, k), cotangent g: (n, out, out, k)."""
        x, w, g = normal(*self.shapes())
        return x, w, g


@dataclass(frozen=True)
class Fused:
    """max_pool(relu(conv(x, w, b)), 2) of images with one channel, or its gradient.

    `part` is "forward", "grad" (of w and b, the forward pass not timed) or "both".
    """

    n: int
    h: int
    k: int
    part: str

    kind = "fused"
    unit = "ms"
    scale = 1e3

    @property
    def label(self) -> str:
        """How tables call it."""
        shape = f"{self.n}x{self.h}x{self.h}x1"
        return f"conv+relu+max-pool {shape} -> {self.k}, 3x3, {self.part}"

    @property
    def flops(self) -> int:
        """Of the convolution, or of its weights' gradient, or of both."""
        passes = 2 if self.part == "both" else 1
        return passes * 2 * self.n * (self.h - 2) ** 2 * self.k * 9

    @property
    def bytes(self) -> int:
        """The images are read, and what is pooled is read or written, by each pass."""
        pooled = ((self.h - 2) // 2) ** 2 * self.k
        passes = 2 if self.part == "both" else 1
        return passes * ITEM * self.n * (self.h**2 + pooled)

    def inputs(self) -> tuple[np.ndarray, ...]:
        """x: (n, h, h, 1), w: (3, 3, 1, k), b: (k), g: (n, h', h', k)."""
        half = (self.h - 2) // 2
        x = (self.n, self.h, self.h, 1)
        return normal(x, (3, 3, 1, self.k), (self.k,), (self.n, half, half, self.k))


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
    def bytes(self) -> int:
        """The image and the pooled one: one of them is read, the other written."""
        return ITEM * self.n * self.c * (self.h**2 + (self.h // 2) ** 2)

    @property
    def label(self) -> str:
        """How tables call it."""
        shape = f"{self.n}x{self.h}x{self.h}x{self.c}"
        return f"{self.name}-pool 2x2 {shape}, {self.part}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """x: (n, h, h, c) and a cotangent g: (n, h // 2, h // 2, c)."""
        half = self.h // 2
        x, g = normal((self.n, self.h, self.h, self.c), (self.n, half, half, self.c))
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

    @property
    def bytes(self) -> int:
        """Two matrices are read, one is written."""
        return ITEM * (self.m * self.k + self.k * self.n + self.m * self.n)

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """The two matrices."""
        a, b = normal((self.m, self.k), (self.k, self.n))
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
    def bytes(self) -> int:
        """x is read and y written; the gradient reads y and g, and writes another."""
        return ITEM * prod(self.shape) * (2 if self.part == "forward" else 3)

    @property
    def label(self) -> str:
        """How tables call it."""
        return f"{self.name} {'x'.join(map(str, self.shape))}, {self.part}"

    def inputs(self) -> tuple[np.ndarray, np.ndarray]:
        """x and a cotangent g, both of `shape`."""
        x, g = normal(self.shape, self.shape)
        return x, g


def normal(*shapes: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Normally distributed float32 arrays, the same at every call."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal(shape, dtype=np.float32) for shape in shapes)


Case = Chain | Step | Epoch | Conv | Fused | Pool | Matmul | Elementwise | Transform

CONV_PARTS = ("forward", "input grad", "weight grad")
PARTS = ("forward", "grad")
CONV_SHAPES = [
    {"n": 64, "c": 1, "h": 28, "k": 16, "r": 3},
    {"n": 64, "c": 32, "h": 28, "k": 32, "r": 3, "pad": 1},
    {"n": 64, "c": 64, "h": 14, "k": 64, "r": 3, "pad": 1},
    {"n": 64, "c": 128, "h": 7, "k": 128, "r": 1},
    {"n": 64, "c": 64, "h": 28, "k": 64, "r": 3, "pad": 1, "groups": 64},
    {"n": 16, "c": 3, "h": 224, "k": 64, "r": 7, "stride": 2, "pad": 3},
]

SUITES: dict[str, list[Case]] = {
    "overhead": [Chain(1), Chain(100)],
    "steps": [
        *(Step("lenet8", n) for n in (64, 128)),
        *(Step("emnist16", n) for n in (32, 64, 128, 512)),
        *(Step("deep", n) for n in (64, 128)),
        *(Step(net, 64) for net in ("deep-norm", "resnet", "separable")),
    ],
    "primitives": [
        *(Conv(**shape, part=part) for shape in CONV_SHAPES for part in CONV_PARTS),
        *(Fused(64, 28, 16, part) for part in ("forward", "grad", "both")),
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
