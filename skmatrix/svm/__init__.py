"""Support vector machines: quantum kernels, and their feature maps and variational circuits."""

__all__: list[str] = []
