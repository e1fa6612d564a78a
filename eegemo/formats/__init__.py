"""File formats, independent of data sets: readers for untrusted files, and writers.

Each reader checks the claims of a file before it relies on them.
"""
