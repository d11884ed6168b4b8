"""The notebook: every cell runs, on fewer images, and says what its text claims."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
TOUR = ROOT / "models" / "tour.ipynb"
MAX_BYTES = 300_000  # of the file, with the outputs that readers on the web see


@pytest.fixture(scope="module")
def written():
    """The notebook as it is in the repository."""
    return nbformat.read(TOUR, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook after a run on 2,000 images, from its folder as Jupyter does it."""
    notebook = nbformat.read(TOUR, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOUR_IMAGES", "2000")
        patch.setenv("PYTHONPATH", str(ROOT))
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp("jupyter")))
        where = {"metadata": {"path": str(TOUR.parent)}}
        NotebookClient(notebook, timeout=300, resources=where).execute()
    return notebook


def outputs(notebook):
    """What each cell of code put out, as text; a picture is the word PICTURE."""
    return [
        "".join(map(shown, cell.outputs))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def shown(output):
    if output.output_type == "stream":
        return output.text
    return "PICTURE" if "image/png" in output.data else output.data["text/plain"] + "\n"


def number(pattern, notebook):
    """The number in what the notebook put out that a pattern names."""
    return float(re.search(pattern, "".join(outputs(notebook)))[1])


def test_slopes_are_those_of_the_text(executed):
    first, second, *_ = outputs(executed)
    assert first == "6.0\n"
    assert "slope of the slope: 2.0" in second
    found = re.search(r"slope: ([\d.]+) and by the formula: ([\d.]+)", second)
    assert float(found[1]) == pytest.approx(float(found[2]), rel=1e-12)


def test_the_checker_finds_the_mistake_and_no_other(executed):
    verdicts = [text.strip() for text in outputs(executed) if "'" in text]
    assert verdicts[-2:] == ["'ok'", "'wrong'"]


def test_both_models_learn(executed):
    before = number(r"before: ([\d.]+)", executed)
    assert number(r"after:  ([\d.]+)", executed) < before / 3
    assert number(r"([\d.]+)% of the threes and eights", executed) > 85
    assert number(r"([\d.]+)% of the test images", executed) > 75


def test_there_are_pictures(executed):
    assert sum("PICTURE" in text for text in outputs(executed)) == 6


def test_nothing_is_said_on_stderr(executed):
    streams = [
        output.name
        for cell in executed.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream"
    ]
    assert "stderr" not in streams


def test_the_outputs_in_the_repository_are_of_this_notebook(written, executed):
    assert TOUR.stat().st_size < MAX_BYTES
    counts = [c.execution_count for c in written.cells if c.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    apart = [
        i
        for i, pair in enumerate(zip(outputs(written), outputs(executed)))
        if pair[0] != pair[1]
    ]
    sources = [c.source for c in written.cells if c.cell_type == "code"]
    assert all("params" in sources[i] for i in apart)  # on more images
    assert number(r"([\d.]+)% of the test images", written) > 98
