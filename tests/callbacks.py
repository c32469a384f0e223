"""A callback of scikit-learn for tests, of which they fill in what they look at."""


class Watcher:
    """Looks at the estimator as it would be if the fit ended with an iteration.

    Parameters
    ----------
    look : callable
        ``look(X, y, estimator)``, whose answers are kept in `seen`.
    """

    def __init__(self, look):
        self.look = look
        self.seen = []

    def setup(self, estimator, context):
        """Nothing to do."""

    def teardown(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_begin(self, estimator, context):
        """Nothing to do."""

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        """Look."""
        if context.task_name == "iteration":
            self.seen.append(self.look(X, y, fitted_estimator))
