"""Sample calls of every differentiable function, as expressions.

The tests run them, and `autograd_lite.coverage` tabulates what holds. In an expression
`np` and `scipy` are the libraries or ours; lower-case names are arrays to be
differentiated with respect to, capital ones constants.
"""
