"""`python -m argot`: the same as the command `argot`."""

from argot.serving.cli import main

if __name__ == "__main__":
    main()
