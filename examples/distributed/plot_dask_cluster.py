"""
=========================================
Four jobs on a cluster, and what it costs
=========================================

A cluster of two processes has a regression to fit, a matrix to complete, densities to compute and
a quantum kernel. Each time we take the seconds that one process needs, with one thread, those of
the cluster, and the bytes that went from one process to another meanwhile. Data that lie with the
workers should stay there; whether they do is the point of this example, more than the seconds: all
processes are on one machine here, so that two can be twice as fast at most, and often are not.
"""

# %%
# A cluster
# ---------
#
# Everything below runs on the cluster that these lines make: a scheduler, and two workers with one
# thread each, all of them processes of their own. On real machines ``Client`` takes the address of
# the scheduler, and nothing else changes.

import dask
import dask.array as da
import numpy as np
from distributed import Client, SubprocessCluster

cluster = SubprocessCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
client = Client(cluster)
client.wait_for_workers(2)
print(f"workers and their threads: {list(client.nthreads().values())}")

# %%
# Two measures
# ------------
#
# A run on a twentieth of the rows imports and compiles on all sides before the clock starts. The
# workers count the bytes that they hand to each other and to this process: results, sums on their
# way, and blocks that the scheduler moves. It moves some while it has to guess how long a task
# takes, and on a busy machine, so that the cluster does each job twice and we take the better run.
# What comes to workers with a task, such as the state of a fit, is not counted; the page
# :doc:`/past_one_machine` has a table of both.

from time import perf_counter


def bytes_sent():
    """Bytes that the workers have handed out so far."""
    return sum(client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total).values())


found = {}


def compare(name, work, *arrays):
    """Do the same work in this process and on the cluster; keep seconds and megabytes."""
    here = dask.compute(*arrays)
    work(*(a[::20] for a in here))
    np.asarray(work(*(a[::20] for a in arrays)))
    begin = perf_counter()
    answer = work(*here)
    local = perf_counter() - begin
    distributed = travel = np.inf
    for _ in range(2):
        before, begin = bytes_sent(), perf_counter()
        other = np.asarray(work(*arrays))
        distributed = min(distributed, perf_counter() - begin)
        travel = min(travel, (bytes_sent() - before) / 1e6)
    data = sum(a.nbytes for a in here) / 1e6
    found[name] = local, distributed, travel, data
    print(f"{name}: one process {local:.2f} s, cluster {distributed:.2f} s")
    print(f"{data:.1f} MB of data, {travel:.1f} MB handed on")
    print(f"largest relative difference {np.abs(answer - other).max() / np.abs(answer).max():.0e}")


# %%
# A regression
# ------------
#
# The random numbers stand for files that the workers read: blocks come to be where they are used,
# and ``persist`` keeps them there. The copies in this process are for the comparison alone. There
# is one block for each worker; of more the scheduler may move some to whom it takes to be idle.
#
# A fit asks the blocks for a few sums: the squared length of each column, a sketch, a Gram matrix,
# a product of the size of a row. However many rows there are, no more travels.

from skmatrix.linear_model import SketchedRegression

rng = da.random.default_rng(0)
rows, columns = 120_000, 150
X = rng.standard_normal((rows, columns), chunks=(rows // 2, -1))
y = X.sum(axis=1) + rng.standard_normal(rows, chunks=rows // 2)
X, y = dask.persist(X, y)


def regression(X, y):
    return SketchedRegression(random_state=0).fit(X, y).coef_


compare("regression", regression, X, y)

# %%
# A matrix to complete
# --------------------
#
# Four fifths of this one are missing. Factors of the rows stay with their blocks until the end.
# Those of the columns go to all workers and come back as sums, once for each inner step: small
# arrays, but many rounds, and each waits for the slower worker and for the scheduler. This is the
# job that a cluster helps least, as long as a round computes for less than some tenths of a second.

from skmatrix.impute import MatrixCompletion

rows, columns, rank = 20_000, 400, 8
chunks = (rows // 2, -1)
loadings = np.random.default_rng(1).standard_normal((rank, columns))
X = rng.standard_normal((rows, rank), chunks=chunks) @ loadings
X = X + 0.5 * rng.standard_normal(X.shape, chunks=chunks)
X = da.where(rng.random(X.shape, chunks=chunks) < 0.2, X, np.nan).persist()


def completion(X):
    model = MatrixCompletion(n_components=rank, alpha=0.02, tol=1e-3, random_state=0)
    return model.fit(X).components_


compare("completion", completion, X)

# %%
# Densities
# ---------
#
# The points of a kernel density fit one process, and go to each worker once. The queries are many
# and independent: nothing comes back but a number for each, and no worker waits for another.

from skmatrix.neighbors import KDE

kde = KDE(random_state=0).fit(np.random.default_rng(2).standard_normal((10_000, 12)))
queries = rng.standard_normal((60_000, 12), chunks=(7_500, -1)).persist()

compare("densities", kde.score_samples, queries)

# %%
# A Gram matrix
# -------------
#
# A kernel matrix can be much larger than the data that it is made of, here by a factor of 240.
# To bring it here lets all of it travel. What is computed from it may be small again, such
# as its product with a vector, and is better computed where the rows of the matrix are.
#
# One process computes half of a symmetric matrix and copies the rest. Workers compute both halves,
# so as not to wait for each other: two of them gain nothing, and more gain half of their number.

from skmatrix.svm import QuantumKernelSVC

samples = rng.random((2400, 10), chunks=(1200, -1)).persist()
some = samples[:60].compute()
model = QuantumKernelSVC(bandwidth=0.1, random_state=0).fit(some, some[:, 0] > 0.5)

compare("Gram matrix", model.kernel_matrix, samples)


def mean_similarity(X):
    return model.kernel_matrix(X).mean(axis=1)


compare("means of its rows", mean_similarity, samples)

# %%
# Seconds, and bytes
# ------------------
#
# Left: a cluster pays where workers compute for long between two messages, and costs where rounds
# are short. With one machine the two processes share its memory and its cores, and two threads of
# one process, ``n_jobs=2``, do as well or better: a cluster is for more machines, and for data that
# one does not hold.
#
# Right: on the line as much travels as there is data. Far below it, more rows cost more computing
# and hardly more traffic, and more machines are of use. Above it they wait for the network.

import matplotlib.pyplot as plt

local, distributed, travel, data = np.array(list(found.values())).T
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
height = np.arange(len(found))[::-1]
left.barh(height + 0.2, local, 0.38, color="0.7", label="one process")
left.barh(height - 0.2, distributed, 0.38, color="C0", label="cluster of two")
for level, one, two in zip(height, local, distributed, strict=True):
    left.text(two, level - 0.2, f" speed x {one / two:.1f}", va="center", color="C0")
left.set_yticks(height, list(found))
left.set(xlabel="seconds", xlim=(0, 1.3 * max(local.max(), distributed.max())))
left.set_title("Two processes are twice as fast at most")
left.legend(loc="lower right")

limits = 0.2 * min(data.min(), travel.min()), 8 * max(data.max(), travel.max())
right.fill_between(limits, limits, limits[1], color="0.95")
right.plot(limits, limits, color="0.6", ls="--")
right.text(2 * limits[0], limits[1] / 3, "more travels than there is data", color="0.4")
right.scatter(data, travel, color="C1", zorder=3)
for name, x, y in zip(found, data, travel, strict=True):
    right.annotate(name, (x, y), (8, -4), textcoords="offset points")
right.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
right.set(xlabel="data, MB", ylabel="handed on by workers, MB")
_ = right.set_title("Data stay, sums travel; a Gram matrix does not stay")

# %%
# At the end
# ----------
#
# The workers hold their memory until the cluster is closed. :doc:`/past_one_machine` lists which
# estimators take dask collections, and what each of them sends.

client.close()
cluster.close()
