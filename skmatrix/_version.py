"""The version of skmatrix: the build back end and the documentation read it from here."""

__version__ = "0.1.0"
