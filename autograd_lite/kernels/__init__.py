"""Numba kernels on plain ndarrays: any strides in, C-contiguous arrays out.

Nothing here knows a tracer, and nothing imports this package at start-up: Numba is
loaded by the first operation that needs it. Results don't depend on the number of
threads, and NaN and infinities propagate as they do in NumPy.
"""
