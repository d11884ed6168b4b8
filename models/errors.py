"""What can go wrong outside the mathematics: files, folders, and runs that diverge."""


class ModelsError(Exception):
    """Base of the errors that the commands print without a traceback."""


class DataError(ModelsError, ValueError):
    """A data file is missing, damaged, or not what it should be."""


class CheckpointError(ModelsError, OSError):
    """A file of a run cannot be read or written."""


class OptionError(ModelsError, ValueError):
    """An option of a command has an impossible value."""


class DivergedError(ModelsError, ArithmeticError):
    """The loss is no longer a finite number."""
