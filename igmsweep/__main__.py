"""`python -m igmsweep`."""

from igmsweep.cli import main

if __name__ == "__main__":
    main()
