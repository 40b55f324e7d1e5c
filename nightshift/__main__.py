"""`python -m nightshift`: the command line."""

from run_search import main

if __name__ == "__main__":
    main()
