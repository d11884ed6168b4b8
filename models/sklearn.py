"""A classifier of images that scikit-learn takes for one of its own.

    from models.sklearn import CNNClassifier

    CNNClassifier(max_iter=5).fit(images, labels).score(others, their_labels)

Its options are named as those of scikit-learn's `MLPClassifier`, and it goes wherever
that goes: into a `Pipeline`, `GridSearchCV`, `cross_val_score`, `joblib.dump`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autograd_lite import nn, optim, tree, value_and_grad

from . import cnn
from .errors import DivergedError, OptionError
from .optimizers import OPTIMIZERS, SCHEDULES, decayed, weights

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import train_test_split
    from sklearn.utils import Tags, check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError(
        "models.sklearn needs scikit-learn 1.6 or later: "
        "pip install 'autograd_lite[sklearn]'"
    ) from error

_SMALLEST = 4  # rows of a square that rows of X are taken for
_CHUNK = 64  # images that are predicted at a time


Step = Callable[[NDArray, NDArray], float]  # of images and labels: the loss


class _Rows(NamedTuple):
    """How rows of numbers become images: their shape, and what is done to numbers."""

    shape: tuple[int, int, int]
    mean: float
    scale: float

    @classmethod
    def measure(cls, rows: NDArray, shape: tuple[int, int, int]) -> _Rows:
        """Return what makes images of mean 0 and deviation 1 of these rows."""
        mean, deviation = rows.mean(dtype=np.float64), rows.std(dtype=np.float64)
        return cls(shape, float(mean), float(1 / deviation) if deviation else 1.0)

    def images(self, rows: NDArray) -> NDArray[np.float32]:
        """Return rows (n, features) as images (n, h, w, c), filled up with zeros."""
        images = np.zeros((len(rows), math.prod(self.shape)), np.float32)
        images[:, : rows.shape[1]] = (rows - self.mean) * self.scale
        return images.reshape(-1, *self.shape)


class _Patience:
    """Counts epochs without a gain, as scikit-learn's `MLPClassifier` does."""

    def __init__(self, tol: float, epochs: int) -> None:
        self._tol, self._epochs = tol, epochs
        self._best, self._waited = -math.inf, 0

    def best(self, value: float) -> bool:
        """Take the value of an epoch, and return whether it is the best so far."""
        self._waited = 0 if value >= self._best + self._tol else self._waited + 1
        found = value > self._best
        self._best = max(value, self._best)
        return found

    @property
    def lost(self) -> bool:
        """Whether more epochs than allowed brought no gain."""
        return self._waited > self._epochs


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """A convolutional network of `models.cnn` as a scikit-learn classifier.

    X is images (n, h, w) or (n, h, w, c), or rows (n, features): those become images of
    `image_shape`, by default square grey ones. Rows that fill no square are filled up
    with zeros. Numbers of any range are welcome: the mean of all of them is subtracted,
    and they are divided by their deviation, one number each. Labels are of any kind.

    Parameters:

    - model: one of `models.cnn.MODELS`
    - image_shape: (h, w) or (h, w, c) of the images that rows of X are
    - solver: one of `models.optimizers.OPTIMIZERS`
    - learning_rate: its schedule in `fit`, one of `models.optimizers.SCHEDULES`
    - learning_rate_init: the highest that the schedule reaches
    - alpha: weight in the loss of the sum of the squared weights
    - batch_size, max_iter: images per step, epochs
    - early_stopping: hold out `validation_fraction` of the training set, stop when the
      score on it no longer rises, and keep the parameters of the best epoch; otherwise
      stop when the loss no longer falls
    - n_iter_no_change, tol: so many epochs without a gain of `tol` are enough
    - warm_start: whether `fit` goes on from the parameters that are there
    - random_state: decides all that is random
    - verbose: whether to print a line per epoch

    After `fit`: `classes_`, `n_features_in_`, `image_shape_`, `n_iter_`, `loss_`,
    `loss_curve_`, `validation_scores_`, and `params_` and `state_` as `models.cnn` has
    them.

    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)  # (1797, 64): images of 8 x 8
    >>> classifier = CNNClassifier(max_iter=5, random_state=0).fit(X[:1000], y[:1000])
    >>> classifier.score(X[1000:], y[1000:]) > 0.9
    True
    """

    def __init__(
        self,
        model: str = "slim",
        *,
        image_shape: tuple[int, ...] | None = None,
        solver: str = "adam",
        learning_rate: str = "constant",
        learning_rate_init: float = 1e-3,
        alpha: float = 0.0,
        batch_size: int = 64,
        max_iter: int = 20,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.solver = solver
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    _moments: Any  # the optimiser's state, None before the first step

    # -- learning ----------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: ArrayLike) -> CNNClassifier:
        """Train on images X, (n, h, w), (n, h, w, c) or (n, features), and labels (n,).

        Raises `ValueError` where options, images or labels are impossible, and
        `DivergedError` when the loss is no longer finite.
        """
        self._check_options()
        rows, labels = self._learn_from(X, y, not self.warm_start)
        if not self.early_stopping:
            self._train(rows, labels, None)
            return self
        rows, held_rows, labels, held_labels = train_test_split(
            *(rows, labels),
            test_size=self.validation_fraction,
            random_state=int(self._rng.integers(2**31)),
            stratify=labels,
        )
        self._train(rows, labels, (held_rows, held_labels))
        return self

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None
    ) -> CNNClassifier:
        """Train for one epoch on a part of the data, at a constant learning rate.

        `classes` has all labels that there will be: the first call must give them. The
        numbers of all images are scaled by the mean and deviation of that call's.
        """
        self._check_options()
        rows, labels = self._learn_from(X, y, False, self._check_classes(classes))
        optimizer = self._optimizer("constant", 1)
        if self._moments is None:
            self._moments = optimizer.init(self.params_)
        self._epoch(self._step(optimizer), rows, labels)
        return self

    def _learn_from(
        self, X: Any, y: Any, fresh: bool, classes: NDArray | None = None
    ) -> tuple[NDArray, NDArray[np.int64]]:
        """Return rows and numbers of classes; make parameters if fresh, or none are."""
        fresh = fresh or not hasattr(self, "params_")
        flat, given = _flatten(X)
        rows, y = validate_data(self, flat, y, reset=fresh)
        check_classification_targets(y)
        known = np.unique(y) if classes is None else classes
        if not fresh:
            known = self.classes_
        if unknown := set(y.tolist()) - set(known.tolist()):
            raise ValueError(
                f"y has labels {sorted(unknown)} that are not among the classes "
                f"{known.tolist()}"
            )
        if fresh:
            self._start(rows, given, known)
        self._check_fits(given)
        return rows, np.searchsorted(self.classes_, y)

    def _start(
        self, rows: NDArray, given: tuple[int, ...] | None, classes: NDArray
    ) -> None:
        """Make parameters, and forget what was learned."""
        shape = _image_shape(given, self.image_shape, rows.shape[1])
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=4)
        rng, model = np.random.default_rng(seeds), cnn.MODELS[self.model]
        self.params_ = model.init(rng, shape, len(classes))  # or images are too small
        self.state_ = model.init_state(self.params_)
        self._rng, self._network = rng, self.model
        self._rows = _Rows.measure(rows, shape)
        self.image_shape_, self.classes_ = shape, classes
        self._moments = None
        self.n_iter_, self.loss_ = 0, math.inf
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] = []

    def _train(
        self,
        rows: NDArray,
        y: NDArray[np.int64],
        held: tuple[NDArray, NDArray[np.int64]] | None,
    ) -> None:
        """Train for up to `max_iter` epochs; what is held out decides which is best."""
        steps = self.max_iter * self._steps_per_epoch(len(rows))
        optimizer = self._optimizer(self.learning_rate, steps)
        self._moments = optimizer.init(self.params_)
        step = self._step(optimizer)
        patience, best = _Patience(self.tol, self.n_iter_no_change), None
        for _ in range(self.max_iter):
            loss = self._epoch(step, rows, y)
            gain = patience.best(-loss if held is None else self._validate(*held))
            if gain and held is not None:
                best = tree.map(np.copy, (self.params_, self.state_))
            if patience.lost:
                break
        if best is not None:
            self.params_, self.state_ = best

    def _step(self, optimizer: optim.Optimizer) -> Step:
        """Return the function that does one step, and moves the parameters on."""
        model, alpha = cnn.MODELS[self._network], self.alpha

        def loss(params: Any, state: Any, images: Any, y: Any) -> Any:
            logits, state = model.train(params, images, state, self._rng)
            value = nn.cross_entropy(logits, y)
            if alpha:
                value = value + alpha * nn.l2_penalty(weights(params))
            return value, state

        loss_and_grads = value_and_grad(loss, has_aux=True)

        def step(images: NDArray, y: NDArray) -> float:
            (value, state), grads = loss_and_grads(self.params_, self.state_, images, y)
            self.params_, self._moments = optim.step(
                optimizer, grads, self._moments, self.params_, donate=True
            )
            self.state_ = state
            return float(value)

        return step

    def _epoch(self, step: Step, rows: NDArray, y: NDArray[np.int64]) -> float:
        """Train on each row once, in batches of nearly equal size; the mean loss."""
        order, total = self._rng.permutation(len(rows)), 0.0
        with np.errstate(all="ignore"):  # a loss that is not finite is noticed
            for index in np.array_split(order, self._steps_per_epoch(len(rows))):
                images = self._rows.images(rows[index])
                total += step(images, y[index]) * len(index)
        self.n_iter_ += 1
        self.loss_ = total / len(rows)
        self.loss_curve_.append(self.loss_)
        if not math.isfinite(self.loss_):
            raise DivergedError(
                f"the loss became {self.loss_} in epoch {self.n_iter_}: try a smaller "
                f"learning_rate_init than {self.learning_rate_init:g}"
            )
        if self.verbose:
            print(f"Iteration {self.n_iter_}, loss = {self.loss_:.8f}")
        return self.loss_

    def _validate(self, rows: NDArray, y: NDArray[np.int64]) -> float:
        """Return the share of rows that are classed right, and note it."""
        score = float((self._logits(rows).argmax(1) == y).mean())
        self.validation_scores_.append(score)
        if self.verbose:
            print(f"Validation score: {score:f}")
        return score

    def _steps_per_epoch(self, n: int) -> int:
        return max(1, round(n / self.batch_size))

    def _optimizer(self, schedule: str, steps: int) -> optim.Optimizer:
        rate = SCHEDULES[schedule](self.learning_rate_init, steps)
        kind = OPTIMIZERS[self.solver]
        made = kind.make(rate)
        return decayed(made, rate, kind.weight_decay) if kind.weight_decay else made

    # -- asking ------------------------------------------------------------------------

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the most probable class of each image: (n,)."""
        chosen = self._ask(X).argmax(1)
        return self.classes_[chosen]

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each of `classes_`: (n, classes)."""
        return nn.softmax(self._ask(X))

    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the logarithm of each probability: (n, classes)."""
        return nn.log_softmax(self._ask(X))

    def _ask(self, X: Any) -> NDArray[np.float64]:
        check_is_fitted(self)
        flat, given = _flatten(X)
        rows = validate_data(self, flat, reset=False)
        self._check_fits(given)
        return self._logits(rows)

    def _logits(self, rows: NDArray) -> NDArray[np.float64]:
        model, parts = cnn.MODELS[self._network], []
        for at in range(0, len(rows), _CHUNK):
            images = self._rows.images(rows[at : at + _CHUNK])
            parts.append(model.apply(self.params_, images, self.state_))
        return np.concatenate(parts, dtype=np.float64)

    # -- what is refused ---------------------------------------------------------------

    def _check_options(self) -> None:
        choices: dict[str, Collection[str]] = {
            "model": cnn.MODELS,
            "solver": OPTIMIZERS,
            "learning_rate": SCHEDULES,
        }
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise OptionError(f"{name}={value!r}: expected one of {list(known)}")
        least = {"batch_size": 1, "max_iter": 1, "n_iter_no_change": 1, "alpha": 0}
        for name, low in least.items():
            if not (value := getattr(self, name)) >= low:
                raise OptionError(f"{name}={value!r}: expected at least {low}")
        if not 0 < self.learning_rate_init < math.inf:
            raise OptionError(
                f"learning_rate_init={self.learning_rate_init!r}: expected more than 0"
            )
        if self.model != getattr(self, "_network", self.model) and self.warm_start:
            raise OptionError(
                f"model={self.model!r} cannot go on from the parameters of "
                f"{self._network!r}: fit without warm_start"
            )

    def _check_classes(self, classes: Any) -> NDArray | None:
        """Return the classes that `partial_fit` begins with; None if it goes on."""
        first = not hasattr(self, "params_")
        if classes is None:
            if first:
                raise ValueError("the first call of partial_fit needs all the classes")
            return None
        known = np.unique(column_or_1d(classes))
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"classes={known.tolist()}: the first call had {self.classes_.tolist()}"
            )
        return known

    def _check_fits(self, given: tuple[int, ...] | None) -> None:
        if given is not None and _with_channels(given) != self.image_shape_:
            raise ValueError(
                f"X has images of shape {given}, the model takes {self.image_shape_}"
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _flatten(X: Any) -> tuple[Any, tuple[int, ...] | None]:
    """Return images as rows, with their shape; what has two axes or less as it is."""
    if not hasattr(X, "ndim"):  # a list, or what else NumPy can read
        X = np.asarray(X)
    if X.ndim < 3:
        return X, None
    if X.ndim > 4:
        raise ValueError(
            f"X has shape {X.shape}, expected (n, h, w), (n, h, w, c) or (n, features)"
        )
    shape = X.shape[1:]
    return np.reshape(X, (len(X), math.prod(shape))), shape


def _image_shape(
    given: tuple[int, ...] | None, wanted: tuple[int, ...] | None, features: int
) -> tuple[int, int, int]:
    """Return the shape of images by that of X, by the option, or by the features.

    >>> _image_shape(None, None, 784), _image_shape(None, None, 30)
    ((28, 28, 1), (8, 8, 1))
    """
    if given is None and wanted is None:
        side = math.isqrt(features)
        if side**2 != features or side < _SMALLEST:
            side = max(8, 4 * math.ceil(math.sqrt(features) / 4))  # halved twice
        return side, side, 1
    shape = _with_channels(given if wanted is None else wanted)
    if math.prod(shape) != features or given not in (None, shape, shape[:2]):
        raise ValueError(
            f"image_shape={wanted} does not fit the images of X, "
            f"{given or f'{features} features'}"
        )
    return shape


def _with_channels(shape: Any) -> tuple[int, int, int]:
    """Return (h, w) or (h, w, c) as (h, w, c)."""
    found = tuple(shape) if np.iterable(shape) else ()
    if len(found) not in (2, 3):
        raise ValueError(f"image_shape={shape}: expected (h, w) or (h, w, c)")
    height, width, channels = (*found, 1)[:3]
    return height, width, channels
