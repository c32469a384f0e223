"""Small and fast instances of every public estimator, for the common tests.

Adding an estimator means adding its entry: the common tests fail without it.
"""

# Class name -> the constructor arguments of each instance to check.
INSTANCES: dict[str, list[dict]] = {}
