"""Axes of displays that have several panels."""

import numpy as np

# Width and height in inches of a panel, and panels side by side, at most.
PANEL = (4.0, 3.6)
_COLUMNS = 3


def load_pyplot(name):
    """``matplotlib.pyplot``, or an error that says how to install it."""
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{name} needs matplotlib. Install it with `pip install matplotlib`."
        ) from error
    return plt


def take_ax(name, ax, size=None):
    """The axes to draw on, new ones for None."""
    plt = load_pyplot(name)
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def take_axes(name, ax, n_panels, what, panel=PANEL):
    """Array of so many axes, and their figure."""
    plt = load_pyplot(name)
    if ax is None:
        n_columns = min(n_panels, _COLUMNS)
        n_rows = -(-n_panels // n_columns)
        size = (panel[0] * n_columns + 0.6, panel[1] * n_rows)
        _, ax = plt.subplots(n_rows, n_columns, figsize=size, layout="constrained", squeeze=False)
        for unused in ax.ravel()[n_panels:]:
            unused.remove()
        ax = ax.ravel()[:n_panels]
    ax = np.ravel(ax)
    if ax.size != n_panels:
        raise ValueError(f"ax must have {n_panels} axes, for {what}. Got {ax.size}.")
    return ax, ax[0].figure


def set_title(axes, title):
    """Title of the figure where it is the display's own, else of the first axes."""
    if title is None:
        return
    figure = axes[0].figure
    if set(axes) >= {a for a in figure.axes if a.get_label() != "<colorbar>"}:
        figure.suptitle(title)
    else:
        own = axes[0].get_title()
        axes[0].set_title(f"{title}: {own}" if own else title)
