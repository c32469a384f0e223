"""Tests of skmatrix; the folders mirror those of the package."""
