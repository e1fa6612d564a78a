"""The verbs: prepare, fit, run, check, verify, preprocess.

The face is light, since every worker process passes through it: what a worker does not need is
imported from its own module.
"""
