"""Mutation of the library's gradient rules: does the suite notice each?

    python -m tests.mutate_rules --limit 200 --results mutants.jsonl

Every rule given to `defvjp`, `defvjp_argnums` or a short form of theirs (`derivative`,
`special`) is changed in one place: a returned cotangent negated, * and / or + and -
interchanged, a factor or a summand dropped, operands of a product interchanged, an axis
moved. For each such mutant a fork of this process imports a copy of the library with
the changed rule and runs the rows of `cases*.py` of its primitives; what survives these
meets those other tests of its family that call the changed function. Results are
appended to a file, so that a run can be interrupted and taken up again. Nothing in the
repository is touched.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import importlib.abc
import importlib.util
import inspect
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
REGISTERING: Final = {
    *("defvjp", "defvjp_argnums", "derivative", "special", "scipy_special"),
    *("define_slopes", "special_pair"),
}
PRODUCTS: Final = {"matmul", "subtract", "divide", "solve", "over", "power", "product"}
SECONDS: Final = 300  # of CPU; a mutant that takes longer is counted as caught
# Where the rest of a family's tests are, beside its rows.
OTHERS: Final = {
    "special": (
        *("test_scipy_special.py", "test_scipy_special_points.py"),
        "test_scipy_stats.py",
    ),
    "fft": ("test_fft.py",),
    "conv": (
        *("test_batching_kernels.py", "test_batching_cases.py"),
        *("test_kernels_conv.py", "test_nn.py", "test_nn_convolution.py"),
    ),
    "fused": ("test_fusion.py",),
    "windows": ("test_nn.py", "test_nn_pooling.py"),
    "sliding": ("test_nn.py", "test_nn_pooling.py"),
    "pool": ("test_kernels_pool.py", "test_nn.py", "test_nn_pooling.py"),
    "layers": ("test_policy.py", "test_kernels_nn.py", "test_nn.py"),
    "normalise": ("test_kernels_nn.py", "test_nn.py", "test_nn_layers.py"),
    "mixing": ("test_kernels_nn.py", "test_nn.py", "test_nn_layers.py"),
    "signal": ("test_scipy_signal.py",),
    "scan": (
        *("test_scipy_signal.py", "test_numpy_folds.py", "test_ops_awkward.py"),
        "test_rules_points.py",
    ),
    "reduce": (
        *("test_scipy_special.py", "test_ops_awkward.py", "test_policy.py"),
        "test_numpy_folds.py",
    ),
    "linalg": (
        *("test_ops_awkward.py", "test_policy.py", "test_rules_points.py"),
        *("test_linalg.py", "test_linalg_points.py", "test_numpy_forms.py"),
    ),
    "": (
        *("test_ops_awkward.py", "test_policy.py", "test_rules_points.py"),
        *("test_linalg.py", "test_linalg_points.py", "test_scipy_linalg.py"),
    ),
}


@dataclass(frozen=True)
class Mutant:
    """One change of one rule, and the primitives whose rule it is."""

    file: str  # relative to the root
    line: int
    column: int
    kind: str
    before: str
    after: str
    primitives: tuple[str, ...]  # names in the module; none: all of it

    @property
    def key(self) -> str:
        """What identifies it in the file of results."""
        return f"{self.file}:{self.line}:{self.column} {self.kind} {self.after}"


# -- the changes ---------------------------------------------------------------------

Change = tuple[str, ast.expr]


def changes(node: ast.AST, returned: bool) -> Iterator[Change]:
    """Yield the ways to change an expression; `returned` if it is a rule's result."""
    if returned:
        yield "negated", ast.UnaryOp(ast.USub(), node)
    if isinstance(node, ast.BinOp):
        yield from _changed_operator(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign dropped", node.operand
    if isinstance(node, ast.Call):
        yield from _changed_call(node)


def _changed_operator(node: ast.BinOp) -> Iterator[Change]:
    swaps = {ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Add: ast.Sub, ast.Sub: ast.Add}
    kind = type(node.op)
    if kind in swaps:
        yield "operator", ast.BinOp(node.left, swaps[kind](), node.right)
    if kind in (ast.Mult, ast.Div, ast.Add, ast.Sub):
        yield "right dropped", node.left
    if kind in (ast.Mult, ast.Add, ast.MatMult):
        yield "left dropped", node.right
    if kind in (ast.Sub, ast.MatMult, ast.Pow):
        yield "interchanged", ast.BinOp(node.right, node.op, node.left)


def _changed_call(node: ast.Call) -> Iterator[Change]:
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if len(node.args) == 2 and name in PRODUCTS:
        yield "interchanged", ast.Call(node.func, node.args[::-1], node.keywords)
    if len(node.args) == 1 and name in ("conj", "conjugate", "adjoint", "swap_last"):
        yield f"{name} dropped", node.args[0]
    for i, keyword in enumerate(node.keywords):
        number = keyword.value
        if keyword.arg in ("axis", "offset") and _is_number(number):
            moved = ast.BinOp(number, ast.Add(), ast.Constant(1))
            keywords = [*node.keywords]
            keywords[i] = ast.keyword(keyword.arg, moved)
            yield "axis", ast.Call(node.func, node.args, keywords)


def _is_number(node: ast.AST) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(node, ast.Constant) and isinstance(node.value, int)


# -- where the rules are ---------------------------------------------------------------


def rules(tree: ast.Module) -> dict[ast.AST, set[str]]:
    """Return the functions that are rules, each with the primitives that have it.

    A rule is what stands in a call that registers it, and the functions of the module
    that it names, over any number of steps. Where the value of a primitive uses such a
    function too, it counts among those that have it.
    """
    functions = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    found: dict[ast.AST, set[str]] = defaultdict(set)
    for call, name in registrations(tree):
        registered = [*call.args[1:], *[k.value for k in call.keywords]]
        for part in reached(registered, functions):
            found[part].add(name)
    for name, function in functions.items():
        if function.decorator_list:
            for part in reached([function], functions) & found.keys():
                found[part].add(name)
    return found


def reached(todo: list[ast.AST], functions: dict[str, ast.FunctionDef]) -> set[ast.AST]:
    """Return the lambdas in some expressions, and the functions that they name."""
    found: set[ast.AST] = set()
    todo = [*todo]
    while todo:
        for part in ast.walk(todo.pop()):
            target = functions.get(getattr(part, "id", ""))
            if isinstance(part, ast.Lambda):
                found.add(part)
            if target is not None and target not in found and _private(target):
                found.add(target)
                todo.append(target)
    return found


def _private(function: ast.FunctionDef) -> bool:
    """Return whether a function is no primitive itself."""
    return not function.decorator_list and function.name not in REGISTERING


def registrations(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Yield the calls that register rules, and the name of the primitive or ""."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in REGISTERING and node.args:
                first = node.args[0]
                yield node, getattr(first, "id", getattr(first, "value", "")) or ""


def results_of(function: ast.AST) -> set[ast.AST]:
    """Return the expressions that are results of a rule: innermost, no functions."""
    found: set[ast.AST] = set()
    inner = {n.name for n in ast.walk(function) if isinstance(n, ast.FunctionDef)}
    for node in ast.walk(function):
        value = node.body if isinstance(node, ast.Lambda) else None
        value = node.value if isinstance(node, ast.Return) else value
        if getattr(value, "id", "") in inner:
            continue
        if isinstance(value, ast.BinOp | ast.Call | ast.Name | ast.UnaryOp):
            found.add(value)
    return found


def mutants(root: Path, file: Path) -> list[Mutant]:
    """Return all mutants of a file."""
    tree = ast.parse(file.read_text(encoding="utf8"))
    where = str(file.relative_to(root))
    found = {}
    for function, names in rules(tree).items():
        returned = results_of(function)
        for node in ast.walk(function):
            if not isinstance(node, ast.expr):
                continue
            for kind, changed in changes(node, node in returned):
                place = (where, node.lineno, node.col_offset)
                texts = (ast.unparse(node), ast.unparse(changed))
                mutant = Mutant(*place, kind, *texts, tuple(sorted(names - {""})))
                found[mutant.key] = mutant
    return list(found.values())


def all_mutants(root: Path, pattern: str) -> list[Mutant]:
    """Return the mutants of all files in turn, of each file in a fixed random order."""
    files = sorted((root / "autograd_lite/ops").rglob("*.py"))
    columns = []
    for file in files:
        ordered = sorted(mutants(root, file), key=lambda m: hash_of(m.key))
        columns.append([m for m in ordered if pattern in m.file])
    rows = itertools.zip_longest(*columns)
    return [mutant for row in rows for mutant in row if mutant is not None]


def hash_of(text: str) -> int:
    """Return a number that is the same in every run."""
    return zlib.crc32(text.encode())


# -- one mutant in a process of its own ------------------------------------------------


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of the library with one expression changed."""

    def __init__(self, mutant: Mutant, root: Path) -> None:
        self.mutant = mutant
        self.file = root / mutant.file
        parts = Path(mutant.file).with_suffix("").parts
        self.package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.package else parts)

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Claim the module."""
        if name != self.name:
            return None
        spec = importlib.util.spec_from_loader(name, self, is_package=self.package)
        if spec and self.package:
            spec.submodule_search_locations = [str(self.file.parent)]
        return spec

    def exec_module(self, module: ModuleType) -> None:
        """Run the changed source."""
        tree = ast.parse(self.file.read_text(encoding="utf8"))
        changed = Changed(self.mutant)
        if self.mutant.kind:
            tree = ast.fix_missing_locations(changed.visit(tree))
        if self.mutant.kind and not changed.done:
            raise SystemExit(f"nothing to change for {self.mutant.key}")
        module.__file__ = str(self.file)
        exec(compile(tree, str(self.file), "exec"), module.__dict__)


class Changed(ast.NodeTransformer):
    """Replaces the expression of a mutant."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant
        self.done = False

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace the node that stands there and reads so."""
        mutant = self.mutant
        place = (getattr(node, "lineno", 0), getattr(node, "col_offset", -1))
        if (
            not self.done
            and isinstance(node, ast.expr)
            and place == (mutant.line, mutant.column)
            and ast.unparse(node) == mutant.before
        ):
            self.done = True
            changed = ast.parse(mutant.after, mode="eval").body
            return ast.copy_location(changed, node)
        return self.generic_visit(node)


def forked(work: Callable[[], str], seconds: float) -> str:
    """Return what a function returns, or how it failed, in a fork of this process."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        # Not of the clock, which goes on where the machine is busy or this is stopped.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001 (any means that it was caught)
            last = traceback.extract_tb(error.__traceback__)[-1]
            text = str(error).strip().splitlines() or [""]
            answer = f"{type(error).__name__} in {last.name}: {text[0]}"
        os.write(write, f"={answer}".encode()[:4000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read().decode(errors="replace")
    os.waitpid(child, 0)
    return answer[1:] if answer else "it did not end"


def run_rows(mutant: Mutant, root: Path) -> str:
    """Return "" if the rows of a mutant's primitives all pass; else raise."""
    finder = Finder(mutant, root)
    sys.meta_path.insert(0, finder)
    tests = importlib.import_module("test_cases")
    names = primitive_names(mutant, importlib.import_module(finder.name))
    count = 0
    walks = [x for x in vars(tests).values() if inspect.isfunction(x)]
    for test in sorted(walks, key=lambda x: "derivatives" not in x.__name__):
        for case in rows_of(test):
            if not names or case.primitive.name in names:
                count += 1
                call_test(test, case)
    return "" if count else "no rows"


def primitive_names(mutant: Mutant, module: ModuleType) -> set[str]:
    """Return the names under which the rows know a mutant's primitives; none: all."""
    from autograd_lite.core import Primitive

    known = {k: v.name for k, v in vars(module).items() if isinstance(v, Primitive)}
    found = {known.get(name) for name in mutant.primitives}
    if found and None not in found:
        return {name for name in found if name}
    tree = ast.parse(inspect.getsource(module))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    imported = {a.asname or a.name for node in imports for a in node.names}
    return {name for name in known if name not in imported}


def rows_of(test: Any) -> Sequence[Any]:
    """Return the rows that a test of `test_cases` walks."""
    marks = getattr(test, "pytestmark", []) if inspect.isfunction(test) else []
    return next((m.args[1] for m in marks if m.args[:1] == ("case",)), ())


def call_test(test: Any, case: Any) -> None:
    """Run a test with one row; warnings of the checker are failures."""
    import pytest

    try:
        test(case)
    except pytest.skip.Exception:
        return


class Watch:
    """A plugin of pytest that runs some tests alone and keeps which of them fail."""

    def __init__(self, wanted: Collection[str] | None) -> None:
        self.wanted = wanted
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Drop the other tests."""
        if self.wanted is not None:
            items[:] = [item for item in items if item.nodeid in self.wanted]

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Keep a failure."""
        if report.failed:
            self.failed.append(report.nodeid)


class Trace:
    """A plugin of pytest that keeps which functions of `ops` each test calls."""

    def __init__(self, root: Path) -> None:
        self.inside = f"{root}/autograd_lite/ops/"
        self.called: set[tuple[str, int]] = set()
        self.tests: dict[str, list[tuple[str, int]]] = {}
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Start to watch."""
        self.called = set()
        self.seconds[nodeid] = -time.process_time()
        sys.settrace(self._call)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Keep what was called."""
        sys.settrace(None)
        self.tests[nodeid] = sorted(self.called)
        self.seconds[nodeid] += time.process_time()

    def _call(self, frame: Any, event: str, argument: Any) -> None:
        code = frame.f_code
        if code.co_filename.startswith(self.inside):
            self.called.add((code.co_filename, code.co_firstlineno))


def run_pytest(files: Sequence[str], root: Path, stop: bool, *plugins: Any) -> int:
    """Run the tests of some files in this process; return pytest's code."""
    import pytest

    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options.append("--hypothesis-seed=0")  # what Hypothesis finds is no mutant's fault
    options += ["-x"] if stop else []
    paths = [str(root / "tests" / file) for file in files]
    return int(pytest.main([*options, *paths], plugins=[*plugins]))


def run_others(mutant: Mutant, tests: Sequence[str], root: Path) -> str:
    """Return the tests, of those named, that fail, by lines."""
    sys.meta_path.insert(0, Finder(mutant, root))
    watch = Watch(set(tests))
    files = sorted({Path(name.split("::")[0]).name for name in tests})
    code = run_pytest(files, root, True, watch)
    if code not in (0, 1):
        watch.failed.append(f"pytest ended with {code!r}")
    return "\n".join(watch.failed)


def others_of(mutant: Mutant) -> tuple[str, ...]:
    """Return the files of the other tests of a mutant's family."""
    parts = set(Path(mutant.file).with_suffix("").parts)
    return next(files for part, files in OTHERS.items() if part in parts or not part)


@functools.cache
def calls_of(files: tuple[str, ...], root: Path) -> dict[str, Any]:
    """Return which functions the tests of some files call, and how long they take.

    Without those that fail as it is. It is kept in a file beside the copy's own.
    """
    kept = root / f"calls-{hash_of(' '.join(files))}.json"
    if not kept.exists():
        forked(lambda: _trace(files, root, kept), 20 * SECONDS)
    found: dict[str, Any] = json.loads(kept.read_text(encoding="utf8"))
    return found


def _trace(files: Sequence[str], root: Path, kept: Path) -> str:
    watch, trace = Watch(None), Trace(root)
    run_pytest(files, root, False, watch, trace)
    tests = {k: v for k, v in trace.tests.items() if k not in watch.failed}
    found = {"tests": tests, "seconds": trace.seconds, "failed": watch.failed}
    kept.write_text(json.dumps(found), encoding="utf8")
    return ""


def tests_of(mutant: Mutant, root: Path) -> tuple[list[str], float]:
    """Return the other tests that call a mutant's function, and their seconds.

    All of them where none does: what is changed may run at import.
    """
    calls = calls_of(others_of(mutant), root)
    path = root / mutant.file
    tree = ast.parse(path.read_text(encoding="utf8"))
    kinds = ast.FunctionDef | ast.Lambda
    around = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        and node.lineno <= mutant.line <= (node.end_lineno or node.lineno)
    ]
    first, last = max(around, default=(0, 0))
    names = [
        name
        for name, called in calls["tests"].items()
        if any(file == str(path) and first <= at <= last for file, at in called)
    ]
    names = names or list(calls["tests"])
    return names, sum(calls["seconds"][name] for name in names)


# -- the run ---------------------------------------------------------------------------


def copied(root: Path) -> None:
    """Copy the last commit to an empty directory."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "tests").exists():
        archive = root / "all.tar"
        command = ["git", "archive", "-o", str(archive), "HEAD"]
        subprocess.run(command, cwd=ROOT, check=True)
        shutil.unpack_archive(archive, root, filter="data")
        archive.unlink()


def prepare(root: Path) -> None:
    """Import what is slow to import and the same for all mutants."""
    sys.path[:0] = [str(root / "tests"), str(root)]
    sys.dont_write_bytecode = False  # it is of use to the next fork
    os.chdir(root)
    for name in ("numpy", "numba", "scipy.special", "scipy.signal", "scipy.linalg"):
        importlib.import_module(name)
    for name in ("scipy.stats", "scipy.optimize", "hypothesis", "pytest"):
        importlib.import_module(name)
    loaded = [name for name in sys.modules if name.startswith("autograd_lite")]
    if loaded:
        raise RuntimeError(f"loaded before it could be changed: {loaded}")


def judged(mutant: Mutant, root: Path) -> dict[str, Any]:
    """Return the record of a mutant: what caught it, or that nothing did."""
    start = time.perf_counter()
    by = forked(lambda: run_rows(mutant, root), SECONDS)
    stage = "rows"
    if by in ("", "no rows"):
        tests, needed = tests_of(mutant, root)
        by = forked(lambda: run_others(mutant, tests, root), SECONDS + 2 * needed)
        stage = "others"
    seconds = round(time.perf_counter() - start, 2)
    found = {"killed": bool(by), "by": by, "stage": stage, "seconds": seconds}
    return {"key": mutant.key, **asdict(mutant), **found}


def known(results: Path) -> dict[str, dict[str, Any]]:
    """Return the records of earlier runs."""
    if not results.exists():
        return {}
    lines = results.read_text(encoding="utf8").splitlines()
    return {record["key"]: record for record in map(json.loads, lines)}


def run(todo: Sequence[Mutant], root: Path, results: Path) -> None:
    """Judge mutants one after another and append the records."""
    prepare(root)
    seen = {record["file"] for record in known(results).values()}
    for file in sorted({mutant.file for mutant in todo} - seen):
        same = unchanged(file)
        complaint = forked(lambda same=same: run_rows(same, root), SECONDS)
        if complaint not in ("", "no rows"):
            raise SystemExit(f"{file} fails as it is: {complaint}")
    for mutant in todo:
        record = judged(mutant, root)
        word = "killed" if record["killed"] else "SURVIVED"
        print(f"{word:<9}{mutant.key}  [{record['seconds']} s]", flush=True)
        with results.open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")


def unchanged(file: str) -> Mutant:
    """Return the mutant of a file that is none: with it everything has to pass."""
    return Mutant(file, 0, 0, "", "", "", ())


def summary(records: Sequence[dict[str, Any]]) -> str:
    """Return counts by file and the survivors as text."""
    by_file: dict[str, list[bool]] = defaultdict(list)
    for record in records:
        by_file[record["file"]].append(record["killed"])
    lines = [f"{sum(v):5d} of {len(v):5d}  {k}" for k, v in sorted(by_file.items())]
    killed = sum(record["killed"] for record in records)
    share = 100 * killed / max(len(records), 1)
    lines.append(f"{killed:5d} of {len(records):5d} caught, {share:.1f} %")
    for r in records:
        if not r["killed"]:
            lines += [f"survived: {r['key']}", f"    instead of {r['before']}"]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("mutants.jsonl"))
    parser.add_argument(
        "--copy", type=Path, default=Path("mutants"), help="made of the last commit"
    )
    parser.add_argument("--limit", type=int, default=10**9, help="of new mutants")
    parser.add_argument("--files", default="", help="only files whose path has this")
    parser.add_argument("--list", action="store_true", help="print, run nothing")
    parser.add_argument("--summary", action="store_true", help="of earlier results")
    parser.add_argument(
        "--again", action="store_true", help="survivors once more, no others"
    )
    options = parser.parse_args(arguments)
    results = options.results.absolute()
    root = options.copy.absolute()
    copied(root)
    every = all_mutants(root, options.files)
    if options.list:
        print(*[f"{m.key}  <- {m.before}" for m in every], sep="\n")
        return
    records = known(results)
    if not options.summary:
        survivors = {key for key, record in records.items() if not record["killed"]}
        wanted = survivors if options.again else {m.key for m in every} - {*records}
        todo = [m for m in every if m.key in wanted]
        run(todo[: options.limit], root, results)
        records = known(results)
    print(summary([records[m.key] for m in every if m.key in records]))


if __name__ == "__main__":
    # One thread each: forks don't inherit the threads of BLAS.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_NUM_THREADS", "2")
    main(sys.argv[1:])
