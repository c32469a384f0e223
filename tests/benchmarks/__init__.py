"""Comparisons with other packages on the same data in the same run.

``python -m tests.benchmarks --list`` names the cases; a ``bench_*.py`` file of this folder adds
some by calling ``register``.
"""
