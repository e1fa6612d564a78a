"""File formats: read with suspicion, and written byte for byte.

Nothing here knows a data set. Each reader checks what a file claims before it believes it.
"""
