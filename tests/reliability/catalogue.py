"""The properties by name, each with whether its tables are hostile."""

from tests.reliability import equivalences, properties

PROPERTIES = {
    "fit": (properties.fits_or_refuses, True),
    "query": (properties.answers_or_refuses, True),
    "layout": (properties.layout_is_no_matter, False),
    "rows": (properties.rows_are_independent, False),
    "weights": (equivalences.weights_count, False),
    "order": (equivalences.order_is_no_matter, False),
    "units": (equivalences.units_are_no_matter, False),
}
