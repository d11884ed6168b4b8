"""A recurrent network that writes: from the characters so far, the next one.

It reads the help texts that come with Python, half a million characters, and writes
some more. Its cell has one gate (J. Collins and others, 2017, "Capacity and
trainability in recurrent neural networks").

    python -m models.rnn
"""

from functools import partial
from pydoc_data.topics import topics

import numpy as np

from autograd_lite import nn, optim, scan, value_and_grad
from autograd_lite.numpy import tanh

from . import mlp, small
from .small import Array, Params

TEXT = "\n".join(topics.values())
ALPHABET = sorted({*TEXT})


def init(rng: np.random.Generator, units: int = 192, width: int = 32) -> Params:
    """Return parameters; a character is a row of `width` numbers to the network."""

    def layer(inputs: int, outputs: int) -> Params:
        return mlp.init(rng, (inputs, outputs))[0]

    return {
        "character": nn.glorot_normal(rng, (len(ALPHABET), width)),
        "gate": layer(width, units),
        "new": layer(width, units),
        "state": {name: layer(units, units)["w"] for name in ("gate", "new")},
        "out": layer(units, len(ALPHABET)),
    }


def cell(w: Params, state: Array, x: Params) -> tuple[Array, Array]:
    """Return the next state (n, units) twice: to go on with, and to be put out."""
    gate = nn.sigmoid(x["gate"] + state @ w["gate"])
    state = state + gate * (tanh(x["new"] + state @ w["new"]) - state)
    return state, state


def apply(params: Params, text: Array, state: Array = None) -> tuple[Array, Array]:
    """Return logits (t, n, characters) of what follows text (t, n), and the state."""
    if state is None:
        units = len(params["state"]["new"])
        state = np.zeros((text.shape[1], units), params["character"].dtype)
    rows = params["character"][text]
    x = {name: nn.dense(rows, **params[name]) for name in ("gate", "new")}
    state, states = scan(partial(cell, params["state"]), state, x)
    return nn.dense(states, **params["out"]), state


def loss(params: Params, text: Array) -> Array:
    """Return the mean cross entropy of text (t, n), but for its first characters."""
    logits, _ = apply(params, text[:-1])
    return nn.cross_entropy(logits, text[1:])


def train(text: Array, units: int = 192, steps: int = 1000, seed: int = 0) -> Params:
    """Return the parameters after so many steps of Adam on 32 random excerpts each."""
    rng = np.random.default_rng(seed)
    params = init(rng, units)
    adam = optim.adam(optim.cosine(0.005, steps, warmup=steps // 20))
    moments = adam.init(params)
    gradient = value_and_grad(loss)
    for _ in small.progress(steps):
        excerpts = rng.integers(len(text) - 48, size=32) + np.arange(48)[:, None]
        _, grads = gradient(params, text[excerpts])
        updates, moments = adam.update(grads, moments, params)
        params = optim.apply_updates(params, updates)
    return params


def write(params: Params, n: int, rng: np.random.Generator) -> str:
    """Return n characters, each drawn as likely as the network finds it."""
    state, places = None, [ALPHABET.index("\n")]
    for _ in range(n):
        logits, state = apply(params, np.array([places[-1:]]), state)
        places.append(rng.choice(len(ALPHABET), p=nn.softmax(logits[0, 0])))
    return "".join(ALPHABET[place] for place in places[1:])


def main(steps: int, seed: int) -> None:
    """Train on nine tenths of the text, write, and print the entropy of the rest."""
    text = np.array([ALPHABET.index(character) for character in TEXT])
    known, held = np.split(text, [len(text) * 9 // 10])
    params = train(known, steps=steps, seed=seed)
    print(write(params, 500, np.random.default_rng(seed)), end="\n\n")
    bits = loss(params, held[: len(held) // 64 * 64].reshape(64, -1).T) / np.log(2)
    print(f"{bits:.2f} bits for a character that it has not read")


if __name__ == "__main__":
    small.command(main, __doc__, steps=1000)
