"""Pairs of order and lag that the classifier judges."""

from itertools import product
from typing import NamedTuple

import numpy as np

from ._embedding import Embedding
from ._trials import check_grid, check_length, delays_of

# Times of a trial below which rules find nothing, and from which on MDOP is of use.
_SHORT = 20
_LONG = 256


class Candidate(NamedTuple):
    """An order and a lag that are judged.

    Attributes
    ----------
    order : int
        Number of copies.
    lag : int or None
        Step between them; None for given delays.
    rule : str
        Where the pair comes from.
    """

    order: int
    lag: int | None
    rule: str


def find_candidates(order, lag, orders, lags, shape, choose):
    """Candidates and their embeddings, each pair once.

    Parameters
    ----------
    order, lag : int or str
        What the user asked for; `lag` may be a tuple of delays.
    orders, lags : sequence of int
        What "grid" stands for.
    shape : tuple of int
        Numbers of channels and of times.
    choose : callable
        ``choose(order, lag)`` gives the embedding of a number or a rule each.

    Returns
    -------
    candidates : dict
        :class:`Candidate` -> :class:`Embedding`.

    Raises
    ------
    ValueError
        If none of the pairs leaves as many samples as the matrix has rows.
    """
    n_channels, n_times = shape
    if isinstance(lag, tuple):
        return {Candidate(order, None, "given"): Embedding(order, None, np.array(lag), {})}
    if not isinstance(order, str):
        step = 1 if isinstance(lag, str) else lag
        check_length(delays_of(order, step), n_times, order, step)
    if not isinstance(order, str) and not isinstance(lag, str):
        return {Candidate(order, lag, "given"): _fixed(order, lag)}
    steps = check_grid("lags", lags) if lag == "grid" else [lag]
    copies = check_grid("orders", orders) if order == "grid" else [order]
    if order == lag == "auto" and n_times < _SHORT:
        found = choose("auto", "auto")
        return {Candidate(found.order, found.lag, "short trials"): found}
    if lag == "auto":
        steps = [1, "mi"]
    if order == "auto":
        copies = ["fnn", "bic"]
    with_mdop = order == "auto" and (lag == "mdop" or (lag == "auto" and n_times >= _LONG))
    # Each of these is the same beside every order: found once.
    chosen = {step: choose(1, step) for step in steps if isinstance(step, str) and step != "mdop"}
    if with_mdop or "mdop" in (order, lag):
        chosen["mdop"] = choose("mdop", "mdop")
    # A number that the user insists on may make more rows than there are samples.
    insists = not isinstance(order, str) and lag != "grid"
    candidates: dict[Candidate, Embedding] = {}

    def add(embedding, rule):
        if embedding.order == 1:
            embedding = Embedding(1, 1, np.zeros(1, dtype=np.int64), embedding.curves)
        order, lag = embedding.order, embedding.lag
        length = n_times - int(embedding.delays[-1])
        if (order, lag) in {candidate[:2] for candidate in candidates}:
            return
        if order == 1 or insists or order * n_channels <= length:
            candidates[Candidate(order, lag, rule)] = embedding

    if order == "auto":
        add(_fixed(1, 1), "no delay")
    for copy, step in product(copies, steps):
        source = chosen.get(step)
        number = source.lag if source else step
        if copy == "mdop":
            embedding, source = _fixed(chosen["mdop"].order, number), chosen["mdop"]
        else:
            embedding = choose(copy, number) if isinstance(copy, str) else _fixed(copy, number)
        if source:
            curves = {**source.curves, **embedding.curves}
            embedding = Embedding(embedding.order, embedding.lag, embedding.delays, curves)
        add(embedding, name_of(copy, step))
    if with_mdop:
        add(chosen["mdop"], "mdop")
    if not candidates:
        raise ValueError(
            f"No pair of order={order!r} and lag={lag!r} leaves as many of the {n_times} times as"
            f" the matrix has rows, order times {n_channels} channels. Lower them, or pass numbers."
        )
    return candidates


def name_of(order, lag):
    """Where a pair comes from."""
    return order if order == lag and isinstance(order, str) else f"{order} at {lag}"


def _fixed(order, lag):
    """Embedding of two numbers."""
    return Embedding(order, lag, np.array(delays_of(order, lag)), {})
