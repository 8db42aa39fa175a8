"""What the pool lets go of first: one policy per file behind one protocol (spec C6).

A policy keeps a few bytes for every number up to the largest it was told of, in flat arrays: a pool of a million
vectors cannot afford a Python object for each. Whoever names vectors takes the numbers from `Numbers`, which uses
small ones again.
"""
