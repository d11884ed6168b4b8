"""The house stands as DESIGN draws it: floors, public names, imports, style, examples.

Everything is read from the source with `ast`, so that a file which nobody imports is
checked as well.
"""

import ast
import configparser
import doctest
import importlib
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import autograd_lite

ROOT = Path(__file__).parent.parent
OWN = ("autograd_lite", "models", "benchmarks")

# Bottom to top. A file imports only from files above it in this list, or from its own
# room (a package that stands here as a whole, such as kernels).
FLOORS = [
    "allocator",
    *["errors", "tree", "source", "policies", "late", "refusals", "core", "kernels"],
    *["ops.basic", "ops.batch"],
    *["ops.elementwise", "ops.reduce", "ops.shape"],
    *["ops.index"],
    *["ops.sorting", "ops.scan", "ops.linalg", "ops.norms"],
    *["ops.matrices", "ops.singular", "ops.null_space", "ops.inverses"],
    *["ops.decompositions", "ops.eigen", "ops.fft", "ops.special"],
    *["ops.windows", "ops.taps", "ops.sliding", "ops.conv", "ops.pool"],
    *["ops.fused", "ops.mixing"],
    *["ops.layers", "ops.normalise", "ops.dense", "ops"],
    *["guard", "reverse", "fusing", "blame", "residuals", "forward", "batching"],
    *["static", "staging"],
    *["outputs", "api", "mapping"],
    *["linear", "jacobians", "curvature"],
    *["arguments", "segments", "budgets", "closures", "repeats"],
    *["checkpointing", "custom"],
    *["implicit", "loops"],
    *["numpy", "scalar", "scipy", "nn", "optim", "testing", "debug", "coverage"],
    *["differential_operators", "extend", "misc", "test_util", "check"],
    *["flops", "benchmarking"],
]

PUBLIC_NAMES = [
    *["AutogradError", "errors", "tree"],
    *["grad", "value_and_grad", "vjp", "jvp", "vmap", "stop_gradient"],
    *["jacobian", "jacrev", "jacfwd", "hessian", "hvp", "value_and_jacobian"],
    *["ggnvp", "linearize", "linear_transpose"],
    *["elementwise_grad", "holomorphic_grad", "make_vjp", "make_jvp", "checkpoint"],
    *["custom_vjp", "custom_jvp"],
    *["policy", "debug_nans", "tape", "profile", "benchmark"],
    *["checkpoint_sequential"],
    *["scan", "jit"],
    *["scalar_primitive", "custom_root", "fixed_point"],
    *["primitive", "elementwise", "defvjp", "defvjp_argnums", "defjvp", "defbatch"],
]

# What models/ and benchmarks/ may import besides the names of `autograd_lite` itself.
PUBLIC_MODULES = {
    f"autograd_lite.{name}"
    for name in [
        *["debug", "errors", "nn", "numpy", "optim", "scipy", "testing", "tree"],
        *["coverage", "differential_operators", "extend", "misc", "test_util"],
        "scipy.optimize",
    ]
}

HEAVY = {"numba", "llvmlite", "scipy", "hypothesis", "matplotlib"}
MAX_FUNCTION_LINES = 40
MAX_FILE_LINES = 500


def module_name(path):
    """The dotted name under which `path` is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    module_name(path): path
    for package in OWN
    for path in sorted((ROOT / package).rglob("*.py"))
}
LIBRARY = [name for name in FILES if name.startswith("autograd_lite")]
CLIENTS = [name for name in FILES if not name.startswith("autograd_lite")]


@cache
def parse(name):
    """The syntax tree of a module."""
    return ast.parse(FILES[name].read_text(encoding="utf8"))


def imports_of(name, tree=None):
    """The modules that a module imports, as full dotted names."""
    found = []
    for node in ast.walk(tree or parse(name)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = absolute(name, node)
            found += [submodule(source, alias.name) for alias in node.names]
    return found


def absolute(name, node):
    """The full name of what a `from ... import` in module `name` imports from."""
    if node.level == 0:
        return node.module
    is_package = FILES[name].name == "__init__.py"
    parts = name.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, node.module] if node.module else base)


def submodule(module, name):
    """`module.name` if that is a file of ours, else the module it is taken from."""
    full = f"{module}.{name}"
    return full if full in FILES else module


def room(name):
    """The entry of FLOORS that a module of autograd_lite belongs to."""
    inner = name.removeprefix("autograd_lite.")
    while inner and inner not in FLOORS:
        inner = inner.rpartition(".")[0]
    return inner


def functions(name):
    """Every function of a module, nested ones and methods included."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node for node in ast.walk(parse(name)) if isinstance(node, kinds)]


def public_definitions(body, prefix=""):
    """(qualified name, node) of public functions, classes and their methods."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if node.name.startswith("_"):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public_definitions(node.body, f"{node.name}.")


def code_lines(node):
    """How many lines a function has, its docstring not counted."""
    lines = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is not None:
        doc = node.body[0]
        lines -= doc.end_lineno - doc.lineno + 1
    return lines


def every(names):
    """Make a test of a module one of all of these: thousands of tests take long."""

    def decorate(test):
        def all_of_them():
            failed = {}
            for name in names:
                try:
                    test(name)
                except AssertionError as error:
                    failed[name] = str(error)
            assert failed == {}

        return all_of_them

    return decorate


# -- the floors --------------------------------------------------------------------


@every(LIBRARY)
def test_every_file_has_a_floor(name):
    assert name == "autograd_lite" or room(name), f"add {name} to FLOORS"


@every([n for n in LIBRARY if n != "autograd_lite"])
def test_imports_come_from_below(name):
    here = room(name)
    for other in imports_of(name):
        if other.split(".")[0] != "autograd_lite":
            continue
        assert other != "autograd_lite", f"{name} imports from the package's front door"
        there = room(other)
        below = FLOORS.index(there) < FLOORS.index(here)
        assert below or there == here, f"{name} ({here}) imports {other} from above"


@every(LIBRARY)
def test_the_library_knows_none_of_its_users(name):
    tops = {other.split(".")[0] for other in imports_of(name)}
    assert not tops & {"models", "benchmarks", "tests"}


def test_no_import_cycles():
    graph = {n: [m for m in imports_of(n) if m in FILES and m != n] for n in FILES}
    done = set()

    def visit(name, path):
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in graph[name]:
                visit(other, [*path, name])
            done.add(name)

    for name in graph:
        visit(name, [])


@every(FILES)
def test_no_star_imports(name):
    for node in ast.walk(parse(name)):
        if isinstance(node, ast.ImportFrom):
            assert node.names[0].name != "*", f"{name}:{node.lineno}"


@every(FILES)
def test_imports_in_functions_defer_something_heavy(name):
    for function in functions(name):
        for other in imports_of(name, function):
            assert _may_be_deferred(name, other), f"{name}.{function.name}: {other}"


def _may_be_deferred(name, other):
    top = other.split(".")[0]
    if name in CLIENTS:  # matplotlib, torch and the like, or a file that loads them
        return top not in sys.stdlib_module_names and top != "autograd_lite"
    return top in HEAVY or other.startswith("autograd_lite.kernels")


@every(CLIENTS)
def test_clients_use_the_public_api(name):
    allowed = {"autograd_lite", *PUBLIC_MODULES}
    for other in imports_of(name):
        if other.split(".")[0] == "autograd_lite":
            assert other in allowed, f"{name} imports {other}"
    for node in ast.walk(parse(name)):
        if isinstance(node, ast.ImportFrom) and node.module == "autograd_lite":
            for alias in node.names:
                full = f"autograd_lite.{alias.name}"
                assert alias.name in PUBLIC_NAMES or full in PUBLIC_MODULES, full


@every(FILES)
def test_no_global_statements(name):
    nodes = [n for n in ast.walk(parse(name)) if isinstance(n, ast.Global)]
    assert not nodes, f"{name}:{nodes[0].lineno}: mutable module state"


# -- the front door ----------------------------------------------------------------


def test_public_names():
    assert sorted(autograd_lite.__all__) == sorted(PUBLIC_NAMES)
    visible = {
        name
        for name in vars(autograd_lite)
        # pytest adds names with @ to what it takes for a plugin's
        if not name.startswith(("_", "@")) and f"autograd_lite.{name}" not in FILES
    }
    assert visible <= set(PUBLIC_NAMES)


def test_tools_for_debugging_are_loaded_when_asked_for():
    code = (
        "import sys, autograd_lite;"
        "print('autograd_lite.debug' in sys.modules, hasattr(autograd_lite, 'tap'));"
        "from autograd_lite import *;"
        "print(tape is autograd_lite.debug.tape, debug_nans.__name__)"
    )
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False", "True", "debug_nans"]


def test_front_door_is_short():
    assert len(FILES["autograd_lite"].read_text().splitlines()) <= 60


def test_import_loads_nothing_heavy():
    code = (
        "import sys, autograd_lite;"
        "print(*sorted({m.split('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    )
    command = [sys.executable, "-c", code, "numba", "scipy", "llvmlite", "matplotlib"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


# -- dependencies ------------------------------------------------------------------

# Where the name of the distribution isn't that of the module.
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn"}


def declared(*extras):
    """The distributions that setup.cfg asks for, bare names."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lists = [config["options"]["install_requires"]]
    lists += [config["options.extras_require"][extra] for extra in extras]
    words = " ".join(lists).split()
    return {re.match(r"[\w-]+", word).group().lower() for word in words}


@every(FILES)
def test_every_import_is_declared(name):
    extras = {
        "autograd_lite": ["test", "train"] if "testing" in name else [],
        "models": ["train", "sklearn", "tensorboard", "torch"],
        "benchmarks": ["train", "autograd", "mygrad", "jax", "torch"],
    }[name.split(".")[0]]
    allowed = declared(*extras)
    for other in imports_of(name):
        top = other.split(".")[0]
        if top in OWN or top in sys.stdlib_module_names:
            continue
        assert DISTRIBUTIONS.get(top, top).lower() in allowed, f"{name}: {top}"


# -- style -------------------------------------------------------------------------


@every(FILES)
def test_public_definitions_have_docstrings(name):
    missing = [
        f"{name}.{qualified}:{node.lineno}"
        for qualified, node in public_definitions(parse(name).body)
        if ast.get_docstring(node) is None and not _overload(node)
    ]
    assert not missing


def _overload(node):
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(n.endswith(("overload", ".setter")) for n in names)


# Implementations of primitives are arrays in, arrays out.
@every([name for name in FILES if not room(name).startswith(("ops", "kernels"))])
def test_public_signatures_are_annotated(name):
    bare = [
        f"{name}.{qualified}:{node.lineno}"
        for qualified, node in public_definitions(parse(name).body)
        if isinstance(node, ast.FunctionDef) and not _annotated(node)
    ]
    assert not bare


def _annotated(node):
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    named = [a for a in arguments if a.arg not in ("self", "cls")]
    return node.returns is not None and all(a.annotation for a in named)


@every(FILES)
def test_long_functions_say_why(name):
    lines = FILES[name].read_text(encoding="utf8").splitlines()
    for node in functions(name):
        if code_lines(node) > MAX_FUNCTION_LINES:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            text = "\n".join(lines[max(first - 4, 0) : node.end_lineno])
            reason = re.search(r"#.*\b[Ll]ong\b", text)
            assert reason, f"{name}.{node.name}: {code_lines(node)} lines, no reason"


def test_functions_are_short():
    lengths = [code_lines(node) for name in FILES for node in functions(name)]
    assert not lengths or statistics.median(lengths) < 10


@every(FILES)
def test_files_are_short(name):
    assert len(FILES[name].read_text(encoding="utf8").splitlines()) < MAX_FILE_LINES


@every(FILES)
def test_types_are_not_silenced(name):
    assert "type: ignore" not in FILES[name].read_text(encoding="utf8")


# -- examples ----------------------------------------------------------------------


EXAMPLES = [n for n, path in FILES.items() if ">>>" in path.read_text(encoding="utf8")]


@pytest.mark.parametrize("name", EXAMPLES)
def test_docstring_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted and not result.failed


PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_examples(page):
    text = page.read_text(encoding="utf8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert all(">>>" in block for block in blocks), "show code with its printed result"
    test = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), {"__name__": "__main__"}, page.name, str(page), 0
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test)
    assert not runner.failures


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_links(page):
    text = page.read_text(encoding="utf8")
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"
