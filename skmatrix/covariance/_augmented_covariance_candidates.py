"""Pairs of order and lag that the classifier judges."""

from itertools import product
from typing import NamedTuple

import numpy as np

from ._embedding import Embedding
from ._trials import delays_of

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
    if not isinstance(order, str) and not isinstance(lag, str):
        return {Candidate(order, lag, "given"): _fixed(order, lag)}
    rules = [value for value in (order, lag) if isinstance(value, str) and value != "grid"]
    if n_times < _SHORT and rules:
        found = choose("auto", "auto")
        return {Candidate(found.order, found.lag, "short trials"): found}
    candidates: dict[Candidate, Embedding] = {}
    seen = set()

    def add(embedding, rule):
        order, lag = embedding.order, embedding.lag if embedding.order > 1 else 1
        length = n_times - int(embedding.delays[-1])
        if (order, lag) in seen or (order > 1 and order * n_channels > length):
            return
        seen.add((order, lag))
        candidates[Candidate(order, lag, rule)] = embedding

    steps = _spelled_out(lag, lags, [1, "mi"])
    copies = _spelled_out(order, orders, ["fnn", "bic"])
    if order == "auto":
        add(_fixed(1, 1), "no delay")
    chosen = {step: choose(1, step) for step in steps if isinstance(step, str) and step != "mdop"}
    for copy, step in product(copies, steps):
        if "mdop" in (copy, step):
            add(choose(copy, step), "mdop")
            continue
        start = chosen.get(step)
        number = start.lag if start else step
        rule = " at ".join(str(value) for value in (copy, step))
        embedding = choose(copy, number) if isinstance(copy, str) else _fixed(copy, number)
        if start:
            curves = {**start.curves, **embedding.curves}
            embedding = Embedding(embedding.order, embedding.lag, embedding.delays, curves)
        add(embedding, rule)
    if order == lag == "auto" and n_times >= _LONG:
        add(choose("mdop", "mdop"), "mdop")
    if not candidates:
        raise ValueError(
            f"No pair of order={order!r} and lag={lag!r} leaves as many of the {n_times} times as"
            f" the matrix has rows, order times {n_channels} channels. Lower them, or pass numbers."
        )
    return candidates


def _spelled_out(value, grid, auto):
    """What a parameter stands for: numbers and rules."""
    if value == "grid":
        return [int(number) for number in grid]
    return auto if value == "auto" else [value]


def _fixed(order, lag):
    """Embedding of two numbers."""
    return Embedding(order, lag, np.array(delays_of(order, lag)), {})
