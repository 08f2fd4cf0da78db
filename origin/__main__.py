"""`python -m origin`: one origin, configured by file and environment."""

from origin.app import main

if __name__ == "__main__":
    main()
