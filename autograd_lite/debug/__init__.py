"""Looking inside: blame for NaN and Inf."""

from .nans import debug_nans

__all__ = ["debug_nans"]
