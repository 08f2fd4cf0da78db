"""`python -m edge`: one edge, configured by file and environment."""

from edge.app import main

if __name__ == "__main__":
    main()
