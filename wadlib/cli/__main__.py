"""``python -m wadlib.cli``, the same as ``wadlib``."""

from wadlib.cli import main

if __name__ == "__main__":
    main()
