"""What `refrain` does, one module for each command. Imported by edge/cli.py, each when it is asked for."""


class CommandError(Exception):
    """A command that cannot go on. `str()` tells people what is wrong and what to do; `code` is the exit status."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code
