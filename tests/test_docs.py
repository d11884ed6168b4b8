"""The pages of docs/ say what the library does; their examples run elsewhere."""

from pathlib import Path

import pytest

import autograd_lite
from autograd_lite import policy

DOCS = Path(__file__).parent.parent / "docs"

# Not transformations: arrays' own, names of other libraries, rules, and errors.
ELSEWHERE = {
    *{"AutogradError", "errors", "tree", "stop_gradient", "elementwise"},
    *{"make_vjp", "make_jvp", "defvjp_argnums", "defjvp", "defbatch"},
    *{"holomorphic_grad", "value_and_jacobian"},
}


def test_the_page_of_transformations_has_the_table_of_conventions():
    assert policy.table() in (DOCS / "transformations.md").read_text(encoding="utf8")


@pytest.mark.parametrize("name", sorted({*autograd_lite.__all__} - ELSEWHERE))
def test_the_page_of_transformations_has_every_transformation(name):
    assert name in (DOCS / "transformations.md").read_text(encoding="utf8")
