"""Optimisers as pairs of pure functions, over trees of parameters.

`init(params)` makes the state, `update(grads, state, params)` turns gradients into
updates, and `apply_updates(params, updates)` adds them. The shape is that of optax;
`step(optimizer, grads, state, params)` does both in one pass over memory.

>>> import numpy as np
>>> opt = momentum(lr=0.1, decay=0.9)
>>> params = {"w": np.ones(2)}
>>> state = opt.init(params)
>>> updates, state = opt.update({"w": np.array([1.0, 2.0])}, state, params)
>>> apply_updates(params, updates)
{'w': array([0.9, 0.8])}

A state is a plain tree of arrays and ints, the number of steps among them; saved and
loaded, training continues exactly. With `donate=True` the caller gives up gradients,
state or parameters: their memory is reused for the results.

A learning rate is a number or a schedule, a function of the number of steps done.
"""

from .algorithms import adam, adamw, momentum, nesterov, rmsprop, sgd
from .compose import (
    add_decayed_weights,
    apply_updates,
    chain,
    clip_by_global_norm,
    combine,
    global_norm,
    step,
)
from .leafwise import Optimizer
from .schedules import constant, cosine, exponential, one_cycle, step_decay

__all__ = [
    "Optimizer",
    "adam",
    "adamw",
    "add_decayed_weights",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "combine",
    "constant",
    "cosine",
    "exponential",
    "global_norm",
    "momentum",
    "nesterov",
    "one_cycle",
    "rmsprop",
    "sgd",
    "step",
    "step_decay",
]
