"""`python -m tagloom`."""

from tagloom.cli import main

if __name__ == "__main__":
    main()
