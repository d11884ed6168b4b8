"""A bank of wrong gradient rules, and one of right ones, to test checkers with.

Both are written in terms of a namespace `np` that the checker's library fills in (see
`spaces`), so that the same wrong rule can be shown to any of them:

    functions.py   functions with their right rules
    bank.py        FAULTS: wrong rules of these functions, by family
    ties.py        those that choose wrongly at ties, and FAIR choices
    calm.py        CALM: right functions at awkward places, to hear no false alarm
    ours.py        both as functions of autograd_lite
"""
