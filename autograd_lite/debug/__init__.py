"""Looking inside: the tape as a table, its profile, and blame for NaN and Inf."""

from .nans import debug_nans
from .tables import Table, tape
from .timing import Profile, profile

__all__ = ["Profile", "Table", "debug_nans", "profile", "tape"]
