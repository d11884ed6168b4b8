"""Special functions: primitives whose values come from `scipy.special`.

One file per family, so that whoever needs one function does not load all; `names` has
all of them. SciPy is loaded by the first that is called.
"""
