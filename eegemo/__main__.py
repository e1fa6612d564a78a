"""``python -m eegemo`` is the same as ``eegemo``."""

from eegemo.cli import main

if __name__ == "__main__":
    main()
