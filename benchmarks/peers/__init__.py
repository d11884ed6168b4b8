"""The other libraries, each optional, each in a file of its own."""

from importlib.util import find_spec
from typing import NamedTuple


class Peer(NamedTuple):
    """A way to use another library, and how tables explain it."""

    library: str
    note: str

    @property
    def module(self) -> str:
        """The file that holds its BUILDERS."""
        return f"benchmarks.peers.{self.library}"


PEERS = {
    "autograd": Peer("autograd", "HIPS autograd"),
    "mygrad": Peer("mygrad", "MyGrad, memory guard off, its faster form"),
    "jax": Peer("jax", "JAX, not compiled"),
    "jax jit": Peer("jax", "JAX, compiled by jit"),
    "torch": Peer("torch", "PyTorch eager, NCHW"),
    "torch nhwc": Peer("torch", "PyTorch eager, channels_last"),
    "torch nhwc malloc": Peer(
        "torch", "PyTorch eager, channels_last, malloc told to keep large blocks"
    ),
}


def installed() -> dict[str, Peer]:
    """The peers whose library can be imported."""
    return {name: peer for name, peer in PEERS.items() if find_spec(peer.library)}
