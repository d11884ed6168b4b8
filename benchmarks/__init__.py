"""Measures autograd_lite against other libraries: `python -m benchmarks --help`."""
