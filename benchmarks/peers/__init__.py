"""The other libraries, each optional, each in a file of its own."""

from importlib.util import find_spec
from typing import NamedTuple


class Peer(NamedTuple):
    """A way to use another library, and how tables explain it."""

    library: str
    note: str
    best: bool = True

    @property
    def module(self) -> str:
        """The file that holds its BUILDERS."""
        return f"benchmarks.peers.{self.library}"


PEERS = {
    "autograd": Peer("autograd", "HIPS autograd"),
    "mygrad": Peer("mygrad", "MyGrad, its memory guard off"),
    "jax": Peer("jax", "JAX, compiled by jit, NHWC, max-pool by reshape"),
    "jax eager": Peer("jax", "JAX, not compiled", best=False),
    "torch": Peer("torch", "PyTorch eager, channels_last, malloc keeps large blocks"),
    "torch nhwc": Peer("torch", "PyTorch eager, channels_last", best=False),
    "torch nchw": Peer("torch", "PyTorch eager, its own layout", best=False),
}


def installed() -> dict[str, Peer]:
    """The peers whose library can be imported, in every form."""
    return {name: peer for name, peer in PEERS.items() if find_spec(peer.library)}
