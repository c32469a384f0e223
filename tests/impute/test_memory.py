"""Peak memory of a fit, measured in processes of their own."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from skmatrix.datasets import make_ratings

pytestmark = pytest.mark.slow

# The peak is reset once everything is imported, compiled and loaded: what is measured is the
# rise above X itself.
PROGRAM = """
import sys, warnings
import scipy.sparse as sp
from skmatrix.impute import MatrixCompletion

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

warnings.simplefilter("ignore")
path, dtype, n_jobs = sys.argv[1], sys.argv[2], int(sys.argv[3])
X = sp.load_npz(path).astype(dtype)
model = MatrixCompletion(16, max_iter=3, n_jobs=n_jobs, random_state=0)
model.set_params(backend="numba").fit(X[:200])
model.set_params(backend="auto")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = status("VmRSS")
model.fit(X)
print(status("VmHWM") - before, X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    rows, columns, values = make_ratings(20_000, 8_000, 5_000_000, dtype=np.float32, random_state=0)
    X = sp.coo_array((values, (rows, columns)), shape=(20_000, 8_000)).tocsr()
    path = tmp_path_factory.mktemp("ratings") / "ratings.npz"
    sp.save_npz(path, X, compressed=False)
    return path


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fit_needs_less_than_three_copies_of_the_entries(path, dtype, n_jobs):
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pytest.skip("the peak of memory cannot be reset here")
    command = [sys.executable, "-c", PROGRAM, str(path), dtype, str(n_jobs)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peak, size = map(int, out.split())
    factors = 2 * (20_000 + 8_000) * (16 + 2) * np.dtype(dtype).itemsize
    assert peak < 3 * size + factors
