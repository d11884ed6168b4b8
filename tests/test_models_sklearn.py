"""The scikit-learn estimator: scikit-learn's own checks, and what they don't ask."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from autograd_lite import tree
from models import cnn
from models.errors import DivergedError, OptionError
from models.sklearn import CNNClassifier


@parametrize_with_checks([CNNClassifier(max_iter=10)])
def test_scikit_learn_takes_it_for_one_of_its_own(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """400 images of 8 x 8 as rows to learn, and 200 to ask about."""
    rows, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(rows))  # many hands in each part
    train, test = order[:400], order[400:600]
    return (rows[train], labels[train]), (rows[test], labels[test])


def small(**options):
    """A classifier that learns digits in a second."""
    settings = {"model": "lenet8", "max_iter": 8, "batch_size": 32}
    settings |= {"learning_rate_init": 3e-3, "random_state": 0}
    return CNNClassifier(**settings | options)


@pytest.fixture(scope="module")
def fitted(digits):
    return small().fit(*digits[0])


def same(a, b):
    tree.map(np.testing.assert_array_equal, a.params_, b.params_)
    tree.map(np.testing.assert_array_equal, a.state_, b.state_)
    assert a.loss_curve_ == b.loss_curve_


# -- what goes in, what comes out ----------------------------------------------------


@pytest.mark.parametrize("model", cnn.MODELS)
def test_every_model_learns_digits(digits, model):
    classifier = small(model=model).fit(*digits[0])
    assert classifier.score(*digits[1]) > 0.85
    assert classifier.n_iter_ == len(classifier.loss_curve_) == 8
    assert classifier.loss_ == classifier.loss_curve_[-1] < classifier.loss_curve_[0]


def test_images_and_their_rows_are_the_same(digits, fitted):
    (rows, labels), (asked, _) = digits
    expected = fitted.predict_proba(asked)
    for shape in [(8, 8), (8, 8, 1)]:
        again = small().fit(rows.reshape(-1, *shape), labels)
        same(again, fitted)
        assert again.image_shape_ == (8, 8, 1) and again.n_features_in_ == 64
        found = again.predict_proba(asked.reshape(-1, *shape))
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(again.predict_proba(asked), expected)
        assert again.predict(asked.reshape(-1, *shape).tolist()).shape == (200,)


def test_the_range_of_the_numbers_does_not_matter(digits):
    (rows, labels), (asked, _) = digits
    plain = small(max_iter=2).fit(rows.astype(np.uint8), labels)
    scaled = small(max_iter=2).fit(1000 * rows + 5, labels)
    np.testing.assert_allclose(
        plain.predict_proba(asked), scaled.predict_proba(1000 * asked + 5), atol=1e-3
    )


def test_images_have_the_shape_that_is_asked_for(digits):
    (rows, labels), _ = digits
    wide = small(max_iter=1, image_shape=(4, 16)).fit(rows, labels)
    assert wide.image_shape_ == (4, 16, 1)
    coloured = small(max_iter=1, image_shape=(4, 4, 4)).fit(rows, labels)
    assert coloured.params_["conv1"]["w"].shape == (3, 3, 4, 8)
    assert small(max_iter=1).fit(rows[:, :30], labels).image_shape_ == (8, 8, 1)


def test_labels_are_of_any_kind(digits):
    (rows, labels), (asked, _) = digits
    names = np.array([f"digit {label}" for label in labels])
    named = small(max_iter=2).fit(rows, names)
    numbered = small(max_iter=2).fit(rows, labels)
    assert named.classes_.tolist() == [f"digit {i}" for i in range(10)]
    expected = [f"digit {label}" for label in numbered.predict(asked)]
    assert named.predict(asked).tolist() == expected


def test_probabilities_are_probabilities(digits, fitted):
    asked = digits[1][0]
    found = fitted.predict_proba(asked)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.log(found), fitted.predict_log_proba(asked))
    np.testing.assert_array_equal(
        fitted.classes_[found.argmax(1)], fitted.predict(asked)
    )


# -- company -------------------------------------------------------------------------


def test_pipelines_searches_and_scores(digits):
    rows, labels = digits[0]
    pipeline = make_pipeline(StandardScaler(), small(max_iter=3))
    grid = {"cnnclassifier__learning_rate_init": [1e-6, 3e-3]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(rows, labels)
    assert search.best_params_ == {"cnnclassifier__learning_rate_init": 3e-3}
    assert search.score(*digits[1]) > 0.7
    assert cross_val_score(small(max_iter=5), rows, labels, cv=2).min() > 0.7


@pytest.mark.parametrize("through", [pickle.dumps, joblib.dump])
def test_a_copy_predicts_and_goes_on_as_the_original(digits, tmp_path, through):
    (rows, labels), (asked, _) = digits
    original = small(model="slim", max_iter=1).partial_fit(rows, labels, range(10))
    if through is pickle.dumps:
        copy = pickle.loads(pickle.dumps(original))
    else:
        joblib.dump(original, tmp_path / "classifier")
        copy = joblib.load(tmp_path / "classifier")
    np.testing.assert_array_equal(
        copy.predict_proba(asked), original.predict_proba(asked)
    )
    same(copy.partial_fit(rows, labels), original.partial_fit(rows, labels))


def test_a_clone_has_the_options_alone(fitted):
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "params_")


# -- learning bit by bit, and stopping -----------------------------------------------


def test_parts_of_the_data_one_by_one(digits):
    (rows, labels), test = digits
    classifier = small()
    for _ in range(6):
        for part in np.array_split(np.argsort(labels, kind="stable"), 4):
            classifier.partial_fit(rows[part], labels[part], classes=range(10))
    assert classifier.n_iter_ == 24 and classifier.score(*test) > 0.6


def test_a_warm_start_goes_on(digits):
    train, test = digits
    once = small(max_iter=1).fit(*train)
    cold, warm = clone(once).fit(*train), clone(once).set_params(warm_start=True)
    for _ in range(3):
        warm.fit(*train)
    same(once, cold)
    assert warm.n_iter_ == 3 and warm.loss_ < cold.loss_
    with pytest.raises(OptionError, match="cannot go on from the parameters of"):
        warm.set_params(model="slim").fit(*train)


def test_training_stops_when_the_loss_no_longer_falls(digits):
    stopped = small(max_iter=50, tol=10.0, n_iter_no_change=2).fit(*digits[0])
    assert stopped.n_iter_ == 4


def test_early_stopping_keeps_the_best_epoch(digits, capsys):
    options = {"max_iter": 12, "early_stopping": True, "validation_fraction": 0.2}
    found = small(**options, learning_rate_init=0.02, verbose=True).fit(*digits[0])
    scores = found.validation_scores_
    assert len(scores) == found.n_iter_ and max(scores) > 0.8
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2 * found.n_iter_
    assert shown[-1] == f"Validation score: {scores[-1]:f}"

    # A run that ends with the best epoch ends with the same parameters.
    best = int(np.argmax(scores)) + 1
    shorter = small(**options | {"max_iter": best}, learning_rate_init=0.02)
    shorter.fit(*digits[0])
    assert shorter.validation_scores_ == scores[:best]
    tree.map(np.testing.assert_array_equal, shorter.params_, found.params_)


def test_alpha_holds_the_weights_small(digits):
    free, held = (small(alpha=alpha).fit(*digits[0]) for alpha in (0.0, 0.1))
    norms = [np.abs(c.params_["dense1"]["w"]).mean() for c in (free, held)]
    assert norms[1] < 0.5 * norms[0]


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "vgg"}, "model='vgg': expected one of"),
        ({"solver": "lbfgs"}, "solver='lbfgs': expected one of"),
        ({"learning_rate": "adaptive"}, "learning_rate='adaptive'"),
        ({"learning_rate_init": 0.0}, "learning_rate_init=0.0"),
        ({"batch_size": 0}, "batch_size=0: expected at least 1"),
        ({"max_iter": 0}, "max_iter=0"),
        ({"alpha": -1.0}, "alpha=-1.0"),
        ({"image_shape": (7, 9)}, r"image_shape=\(7, 9\) does not fit .*64 features"),
        ({"image_shape": (2, 32)}, "images of 2 x 32 are too small for this model"),
        ({"image_shape": 64}, r"expected \(h, w\) or \(h, w, c\)"),
    ],
)
def test_impossible_options_are_refused(digits, options, message):
    with pytest.raises(ValueError, match=message):
        small(**options).fit(*digits[0])


def test_images_of_another_shape_are_refused(digits, fitted):
    rows, labels = digits[0]
    with pytest.raises(ValueError, match=r"images of shape \(4, 16\), .* \(8, 8, 1\)"):
        fitted.predict(rows.reshape(-1, 4, 16))
    with pytest.raises(ValueError, match="X has 63 features, but CNNClassifier"):
        fitted.predict(rows[:, 1:])
    with pytest.raises(ValueError, match=r"expected \(n, h, w\)"):
        small().fit(rows.reshape(-1, 2, 2, 4, 4), labels)
    with pytest.raises(ValueError, match=r"does not fit .*\(8, 8\)"):
        small(image_shape=(4, 16)).fit(rows.reshape(-1, 8, 8), labels)


def test_a_refused_fit_leaves_what_was_learned(digits, fitted):
    asked = digits[1][0]
    copy = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(ValueError):
        copy.fit(np.full((4, 64), np.nan), [0, 1, 0, 1])
    np.testing.assert_array_equal(
        copy.predict_proba(asked), fitted.predict_proba(asked)
    )


def test_labels_that_were_not_announced_are_refused(digits):
    rows, labels = digits[0]
    classifier = small()
    with pytest.raises(ValueError, match="first call of partial_fit needs"):
        classifier.partial_fit(rows, labels)
    with pytest.raises(ValueError, match=r"labels \[9\] that are not among"):
        classifier.partial_fit(rows, labels, classes=range(9))
    classifier.partial_fit(rows, labels, classes=range(10))
    with pytest.raises(ValueError, match=r"the first call had \[0, 1, 2"):
        classifier.partial_fit(rows, labels, classes=range(11))


def test_a_loss_that_is_not_finite_is_an_error(digits):
    with pytest.raises(DivergedError, match="smaller learning_rate_init than 1e"):
        small(solver="sgd", learning_rate_init=1e30).fit(*digits[0])


def test_without_scikit_learn_the_import_says_what_to_install():
    code = "import sys; sys.modules['sklearn'] = None; import models.sklearn"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert "ImportError: models.sklearn needs scikit-learn" in run.stderr
    assert "pip install 'autograd_lite[sklearn]'" in run.stderr
