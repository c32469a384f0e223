"""Torch on one thread in tasks that run side by side in the threads of a process."""

from threading import Lock, current_thread, main_thread


class _OneTorchThread:
    """Holds torch to one thread while tasks run outside of the main thread.

    A part of the limit belongs to the process: the last task to leave restores what the first has
    found. Where tasks run one after the other in the main thread, there is nothing to share.
    """

    def __init__(self):
        self._lock = Lock()
        self._n_tasks = 0
        self._before = 1

    def __enter__(self):
        if current_thread() is main_thread():
            return
        import torch

        with self._lock:
            if self._n_tasks == 0:
                self._before = torch.get_num_threads()
            self._n_tasks += 1
            torch.set_num_threads(1)

    def __exit__(self, *error):
        if current_thread() is main_thread():
            return
        import torch

        with self._lock:
            self._n_tasks -= 1
            if self._n_tasks == 0:
                torch.set_num_threads(self._before)


one_torch_thread = _OneTorchThread()
