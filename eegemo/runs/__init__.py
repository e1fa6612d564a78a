"""The verbs: prepare, fit, run, check, verify, preprocess.

This module imports nothing, since every worker process imports it: what a worker does not use is
imported from its own module.
"""
