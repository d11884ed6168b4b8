"""Code for HIPS autograd runs when its import lines are changed, and computes the same.

The programs are in `hips_examples.py`, written for autograd; here its import lines are
rewritten, by the rules of `docs/migration.md`, and nothing else.
"""

import builtins
import re
import subprocess
import sys
import types
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import autograd_lite.misc.optimizers
import autograd_lite.test_util
from autograd_lite import differential_operators as ops
from autograd_lite import extend, grad, jvp, tree
from autograd_lite import stop_gradient as getval
from autograd_lite.errors import ArgumentError, GradientCheckError, NonScalarOutputError
from autograd_lite.misc import const_graph
from autograd_lite.misc.fixed_points import fixed_point
from autograd_lite.test_util import check_grads as check_in_hips_form
from autograd_lite.test_util import check_jvp, check_vjp, combo_check
from autograd_lite.testing import check_grads

EXAMPLES = Path(__file__).with_name("hips_examples.py")
PROGRAMS = re.findall(r"^def (\w+)", EXAMPLES.read_text(encoding="utf8"), re.MULTILINE)

# Import line of HIPS autograd -> ours. The last rule applies to what is left.
RULES = [
    (r"^from autograd.builtins import", "from builtins import"),
    (r"^from autograd import", "from autograd_lite.differential_operators import"),
    (r"^(from|import) autograd\b", r"\1 autograd_lite"),
]


def migrated(text):
    """A program for HIPS autograd with its import lines rewritten."""
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


@cache
def programs(package):
    """The module of programs, as they stand or migrated."""
    text = EXAMPLES.read_text(encoding="utf8")
    module = types.ModuleType(f"examples_for_{package}")
    code = migrated(text) if package == "autograd_lite" else text
    exec(compile(code, str(EXAMPLES), "exec"), vars(module))
    return module


@cache
def run(package, program):
    """What a program returns, run once."""
    return getattr(programs(package), program)()


def test_only_import_lines_differ():
    before = EXAMPLES.read_text(encoding="utf8").splitlines()
    after = migrated("\n".join(before)).splitlines()
    changed = [line for line, new in zip(before, after, strict=True) if line != new]
    assert len(changed) >= 12
    assert all(re.match(r"(from|import) autograd", line) for line in changed)
    listed = programs("autograd_lite").PROGRAMS
    assert [program.__name__ for program in listed] == PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_runs_and_its_gradient_is_right(program):
    objective, params, results = run("autograd_lite", program)
    # odeint's adjoint is another initial value problem, solved to a tolerance
    rtol = 1e-4 if program == "learned_dynamics" else None
    check_grads(objective, (params,), order=1, rtol=rtol)
    for x in tree.leaves(results):
        assert np.isfinite(x).all()


@pytest.mark.peer("autograd")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("program", PROGRAMS)
def test_program_computes_what_autograd_computes(program):
    theirs, params, expected = run("autograd", program)
    ours, _, results = run("autograd_lite", program)
    close(results, expected)
    close(grad(ours)(params), programs("autograd").grad(theirs)(params))


def close(found, expected, rtol=1e-6):
    found, expected = tree.leaves(found), tree.leaves(expected)
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol, 1e-8)


def test_optimisers_descend_on_trees():
    objective, params, (trained, seen) = run("autograd_lite", "neural_net")
    assert all(objective(p) < objective(params) for p in trained)
    assert len(seen) == 9 and seen[0][0] == objective(params)


# -- operators that the programs do not use -------------------------------------------


def f(x, y=2.0):
    return np.sin(x) * y


def test_argnum_is_an_int_or_several():
    assert ops.grad(f, argnum=1)(0.5, 3.0) == np.sin(0.5)
    assert ops.grad(f, [0, 1])(0.5, 3.0) == (np.cos(0.5) * 3, np.sin(0.5))
    value, x_bars = ops.value_and_grad(f, (1, 0))(0.5, 3.0)
    assert value == f(0.5, 3.0) and x_bars == (np.sin(0.5), np.cos(0.5) * 3)
    assert ops.make_vjp(f, (0, 1))(0.5, 3.0)[0](2.0)[1] == 2 * np.sin(0.5)
    assert ops.make_jvp(f, (0, 1))(0.5, 3.0)((0.0, 1.0))[1] == np.sin(0.5)
    assert set(ops.multigrad_dict(f)(0.5)) == {"x", "y"}
    assert ops.grad_named(f, "y")(0.5) == np.sin(0.5)


def test_one_element_of_any_shape_is_a_scalar():
    x = np.ones((1, 3))
    value, x_bar = ops.value_and_grad(lambda x: x @ x.T)(x)
    assert value.shape == (1, 1)
    np.testing.assert_array_equal(x_bar, 2 * x)
    with pytest.raises(NonScalarOutputError, match="shape \\(3, 1\\)"):
        ops.grad(lambda x: x.T)(x)


@pytest.mark.peer("autograd")
@pytest.mark.filterwarnings("ignore")
def test_rarer_operators_agree_with_autograd():
    import autograd
    import autograd.differential_operators as theirs
    import autograd.numpy as anp

    def map3(x):
        return anp.array([x[0] * x[1], anp.sin(x[1]), x[0] ** 2])

    def energy(x, scale=1.0):
        return scale * anp.sum(map3(x) ** 2)

    def ours3(x):
        return np.stack([x[0] * x[1], np.sin(x[1]), x[0] ** 2])

    def our_energy(x, scale=1.0):
        return scale * np.sum(ours3(x) ** 2)

    x, v, w = np.array([0.7, -0.4]), np.array([0.3, 2.0]), np.array([1.0, 2.0, 0.5])
    for name, call in [
        ("deriv", lambda o, f, e: o.deriv(f)(x)),
        ("make_ggnvp", lambda o, f, e: o.make_ggnvp(f)(x)(v)),
        ("make_hvp", lambda o, f, e: [*_applied(o.make_hvp(e)(x), v)]),
        ("make_jvp_reversemode", lambda o, f, e: o.make_jvp_reversemode(f)(x)(v)),
        ("tensor_jacobian_product", lambda o, f, e: o.tensor_jacobian_product(f)(x, w)),
        ("vector_jacobian_product", lambda o, f, e: o.vector_jacobian_product(f)(x, w)),
        ("hessian_tensor_product", lambda o, f, e: o.hessian_tensor_product(e)(x, v)),
        ("hessian", lambda o, f, e: o.hessian(f)(x)),
        ("elementwise_grad", lambda o, f, e: o.elementwise_grad(f)(x)),
        ("grad_named", lambda o, f, e: o.grad_named(e, "scale")(x, 2.0)),
    ]:
        expected = call(theirs, map3, energy)
        assert hasattr(autograd, name) or hasattr(theirs, name)
        close(call(ops, ours3, our_energy), expected)


def _applied(pair, v):
    product, gradient = pair
    return product(v), gradient


@pytest.mark.peer("autograd")
def test_every_name_of_autograd_is_there_or_in_the_migration_page():
    import autograd
    import autograd.extend
    import autograd.misc
    import autograd.misc.flatten
    import autograd.misc.optimizers
    import autograd.test_util

    page = (EXAMPLES.parent.parent / "docs" / "migration.md").read_text(encoding="utf8")
    ours = [ops, extend, autograd_lite.misc, autograd_lite.misc.optimizers]
    here = {name for m in [*ours, autograd_lite.test_util, builtins] for name in dir(m)}
    for theirs in [
        *[autograd, autograd.extend, autograd.misc, autograd.misc.optimizers],
        autograd.test_util,
    ]:
        own = {n: x for n, x in vars(theirs).items() if callable(x) and n[0] != "_"}
        names = {n for n, x in own.items() if x.__module__.startswith("autograd")}
        missing = [name for name in names - here if f"`{name}`" not in page]
        assert not missing, theirs.__name__


# -- extension ------------------------------------------------------------------------


def sum_of_products():
    """A primitive of three arguments, linear in each."""

    @extend.primitive
    def contract(x, y, z):
        return np.einsum("i,i,i->", x, y, z)

    return contract


ARGS = tuple(np.random.default_rng(0).standard_normal((3, 4)))


def _contracted(argnum, args, g):
    rest = [x for i, x in enumerate(args) if i != argnum]
    return g * rest[0] * rest[1]


def test_one_reverse_rule_for_all_arguments():
    fun = sum_of_products()
    extend.defvjp_argnum(
        fun, lambda i, ans, args, kwargs: lambda g: _contracted(i, args, g)
    )
    check_grads(fun, ARGS)


def test_joint_reverse_rule_may_return_a_generator():
    fun = sum_of_products()
    extend.defvjp_argnums(
        fun,
        lambda argnums, ans, args, kwargs: (
            lambda g: (_contracted(i, args, g) for i in argnums)
        ),
    )
    check_grads(fun, ARGS)


@pytest.mark.parametrize("how", ["same", "linear", "argnum", "argnums"])
def test_forward_rules(how):
    fun = sum_of_products()

    def moved(i, x_dot, ans, args, kwargs):
        return fun(*args[:i], x_dot, *args[i + 1 :])

    if how == "same":
        extend.defjvp(fun, "same", "same", argnums=[2, 0])
        extend.defjvp(fun, "same", argnums=[1])
    elif how == "linear":
        extend.def_linear(fun)
    elif how == "argnum":
        extend.defjvp_argnum(fun, moved)
    else:
        extend.defjvp_argnums(
            fun,
            lambda argnums, x_dots, *rest: sum(
                [moved(i, x_dot, *rest) for i, x_dot in zip(argnums, x_dots)]
            ),
        )
    y, y_dot = jvp(fun, ARGS, ARGS)
    np.testing.assert_allclose(y_dot, 3 * y)


def test_bad_forward_rule_is_refused():
    with pytest.raises(ArgumentError, match="argument 0 is 'other'; expected"):
        extend.defjvp(sum_of_products(), "other")


def test_notrace_primitives_get_arrays():
    @extend.notrace_primitive
    def seen(x):
        assert type(x) in (np.ndarray, np.float64)
        return np.argmax(x)

    x = np.array([1.0, 3.0])
    np.testing.assert_array_equal(grad(lambda x: x[seen(x)] ** 2)(x), [0, 6])


# -- test_util and misc ---------------------------------------------------------------


def test_check_grads_looks_at_the_arguments_it_is_told():
    @extend.primitive
    def product(x, y):
        return x * y

    extend.defvjp(product, lambda ans, x, y: lambda g: g * y, None)
    check_in_hips_form(product)(2.0, 3.0)
    with pytest.raises(GradientCheckError):
        check_in_hips_form(product, (0, 1))(2.0, 3.0)
    with pytest.raises(GradientCheckError):
        check_in_hips_form(product, 1, modes=["rev"], order=1)(2.0, 3.0)
    check_vjp(lambda x: product(x, 3.0), 2.0)
    with pytest.raises(GradientCheckError):
        check_jvp(lambda y: product(3.0, y), 2.0)


def test_combinations_are_all_checked():
    calls = []

    def fun(x, scale):
        calls.append((x.shape, scale))
        return x * scale

    combo_check(fun, 0, order=1)([np.ones(1), np.ones((2, 2))], scale=[2.0, 3.0])
    assert set(calls) == {((1,), 2.0), ((1,), 3.0), ((2, 2), 2.0), ((2, 2), 3.0)}


def test_const_graph_is_a_partial_function():
    assert const_graph(f, 0.5)(4.0) == f(0.5, 4.0)


@pytest.mark.peer("autograd")
def test_fixed_points_agree_with_autograd():
    import autograd
    from autograd.misc.fixed_points import fixed_point as their_fixed_point

    def loss(a, fixed_point):  # the square roots
        x0, far = np.ones(2), lambda x, y: np.max(np.abs(x - y))
        x = fixed_point(lambda a: lambda x: (x + a / x) / 2, a, x0, far, 1e-12)
        return (x**3)[0] + x[1]

    a = np.array([2.0, 3.0])
    theirs = autograd.grad(loss)(a, their_fixed_point)
    close(ops.grad(loss)(a, fixed_point), theirs)
    close(theirs, np.array([1.5 * np.sqrt(2), 0.5 / np.sqrt(3)]))
    curvature = ops.hessian(lambda a: loss(a, fixed_point))(a)
    close(curvature, np.diag([0.75 / np.sqrt(2), -0.25 * 3**-1.5]))


def test_getval_is_stop_gradient():
    def loss(x):
        assert type(getval(x)) is np.ndarray
        return np.sum(x * getval(x))

    assert ops.grad(loss)(np.array([2.0, 3.0])).tolist() == [2, 3]


def test_nothing_of_this_is_loaded_by_the_library():
    code = "import sys, autograd_lite; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(run.stdout.split())
    parts = ["differential_operators", "extend", "misc", "test_util", "testing"]
    assert not loaded & {f"autograd_lite.{name}" for name in [*parts, "coverage"]}
