"""Peak memory of a fit to a memory map, measured in processes of their own."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

N, D = 1_000_000, 50

# What counts is memory of the process itself, without the pages of the map that the system keeps
# as long as it has room. It has no peak of its own: another thread looks on.
PROGRAM = """
import sys, threading
import numpy as np
from skmatrix.linear_model import SketchedRegression

def anonymous():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))

def watch():
    while not finished.wait(0.002):
        seen.append(anonymous())

path, way = sys.argv[1], sys.argv[2]
X, y = np.load(path + "/X.npy", mmap_mode="r"), np.load(path + "/y.npy")
model = SketchedRegression(random_state=0, sketch_size=400)
if way != "stream":
    model.set_params(solver=way)
    model.fit(np.ones((20_000, 1)) * X[:1], y[:20_000])
else:
    model.partial_fit(X[:100], y[:100])
finished, seen, before = threading.Event(), [], anonymous()
watcher = threading.Thread(target=watch)
watcher.start()
if way == "stream":
    for begin in range(0, len(y), 10_000):
        model.partial_fit(X[begin : begin + 10_000], y[begin : begin + 10_000])
    model.coef_
else:
    model.fit(X, y)
finished.set()
watcher.join()
assert abs(model.coef_[0] - 1) < 0.1
print(len(seen), max(seen) - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a matrix of 400 MB, written in blocks, and its targets."""
    path = tmp_path_factory.mktemp("rows")
    X = np.lib.format.open_memmap(path / "X.npy", mode="w+", dtype=np.float64, shape=(N, D))
    rng = np.random.default_rng(0)
    for begin in range(0, N, 50_000):
        X[begin : begin + 50_000] = rng.standard_normal((50_000, D))
    np.save(path / "y.npy", X[:, 0] + 0.1 * rng.standard_normal(N))
    del X
    yield path
    (path / "X.npy").unlink()


@pytest.mark.parametrize("way", ["direct", "iterative", "lapack", "sketch", "stream"])
def test_fit_of_a_memory_map_needs_a_fraction_of_it(way, folder):
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        status = ""
    if "RssAnon" not in status:
        pytest.skip("the system does not tell memory from pages of files")
    command = [sys.executable, "-c", PROGRAM, str(folder), way]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    looks, rise = map(int, out.split())
    assert looks > 20
    assert rise < N * D * 8 / 10
