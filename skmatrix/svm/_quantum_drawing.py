"""Circuits of quantum feature maps in text."""


def draw_circuit(encoding, bandwidth=1.0):
    """One repetition of the circuit as lines of text, and the list of its angles.

    Parameters
    ----------
    encoding : Encoding
        The feature map.
    bandwidth : float, default=1.0
        Factor of the data.

    Returns
    -------
    text : str
        A line for each qubit, then the angles.
    """
    lines = [f"q{q}: " for q in range(encoding.n_qubits)]
    width = max(len(line) for line in lines)
    lines = [line.ljust(width) for line in lines]
    angles: list = []
    for block in encoding.blocks:
        lines = [line + "─H─" for line in lines]
        for term in block:
            angles.append(term)
            lines = _append(lines, term, len(angles))
    times = "" if encoding.reps == 1 else f", {encoding.reps} times"
    sign = "" if encoding.sign == 1 else "-"
    head = f"{encoding.n_qubits} qubits, from left to right{times}:"
    legend = [
        f"{number}: exp({sign}i {_angle(encoding, term)} {term.letters[::-1]})"
        f" on {', '.join(f'q{q}' for q in reversed(term.qubits))}"
        for number, term in enumerate(angles, start=1)
    ]
    scale = [] if bandwidth == 1 else [f"x: the data times {bandwidth:g}"]
    return "\n".join([head, *lines, *scale, *legend])


def _append(lines, term, number):
    """The lines with one more rotation."""
    letters = dict(zip(term.qubits, term.letters, strict=True))
    labels = [f"{letters[q]}{number}" if q in letters else "" for q in range(len(lines))]
    width = max(len(label) for label in labels)
    return [
        line + "─" + label.ljust(width, "─") + "─"
        for line, label in zip(lines, labels, strict=True)
    ]


def _angle(encoding, term):
    """Formula of an angle."""
    if callable(encoding.data_map):
        name = getattr(encoding.data_map, "__name__", "data_map")
        return f"{name}(x, {term.features})"
    names = [f"x{f}" for f in term.features]
    if len(names) == 1 or encoding.data_map == "product":
        return " ".join(names)
    return "".join(f"(π-{name})" for name in names)
