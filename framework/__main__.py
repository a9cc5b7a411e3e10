"""`python -m framework`."""

from framework.entry import main

if __name__ == "__main__":
    main()
