"""Row blocks of dask collections: the building stones of fits past one machine."""

from ._blocks import as_row_blocks, broadcast, is_dask, map_reduce, map_rows

__all__ = ["as_row_blocks", "broadcast", "is_dask", "map_reduce", "map_rows"]
