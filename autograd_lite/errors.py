"""Every exception the library raises.

Each one says what arrived, what was expected and what to do, and is a subclass of
`AutogradError` and of the built-in exception that a caller would catch.
"""


class AutogradError(Exception):
    """Base of all errors raised by autograd_lite."""


class DifferentiationTypeError(AutogradError, TypeError):
    """An input or output cannot be differentiated: wrong dtype, or not an array."""


class NonScalarOutputError(AutogradError, TypeError):
    """`grad` was asked for the gradient of a function whose output is no scalar."""


class TracerConversionError(AutogradError, TypeError):
    """A tracer was about to be turned into plain numbers, which loses the trace."""


class TracerAttributeError(AutogradError, AttributeError):
    """An attribute that tracers don't have, though arrays may."""


class TracerMutationError(AutogradError, TypeError):
    """An in-place write to, or from, a tracer: functions must be pure."""


class LeakedTracerError(AutogradError, RuntimeError):
    """A tracer was used after the transformation that made it had returned."""


class MissingRuleError(AutogradError, NotImplementedError):
    """A primitive has no derivative rule for an argument that needs one."""


class RuleError(AutogradError, ValueError):
    """A derivative rule returned a cotangent of the wrong shape, dtype or number."""


class UnsupportedError(AutogradError, NotImplementedError):
    """A NumPy function or option that is not supported on tracers."""


class TreeError(AutogradError, ValueError):
    """Two trees do not match, or a path does not exist in a tree."""


class ArgumentError(AutogradError, ValueError):
    """An argument has an impossible value."""


class ShapeError(AutogradError, ValueError):
    """Arrays whose shapes do not fit together, or a geometry that is impossible."""


class AmbiguousGradientError(AutogradError, ValueError):
    """A derivative of an arbitrary choice, such as a basis for equal eigenvalues."""


class ConvergenceError(AutogradError, RuntimeError):
    """A solver found no solution, so that there is nothing to differentiate."""


class NonFiniteError(AutogradError, FloatingPointError):
    """An operation produced a NaN or Inf, inside `debug_nans`; `what` says which."""

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what


class GradientCheckError(AutogradError, AssertionError):
    """A derivative disagrees with the function that it was made from."""


class GradientCheckWarning(UserWarning):
    """A derivative could not be checked where it was asked for: a kink, or noise."""


class PerformanceWarning(UserWarning):
    """Something works, but in a way that is slow: a loop where there is no rule."""
