"""What the code gave on one day, so that work on its structure cannot change it unnoticed.

`inside` is the one place that knows modules below the public names; `make` records everything.
"""
