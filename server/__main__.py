"""`python -m server` and the command `counterfoil`: the command line of server/cli.py, started as fast as it can be."""

import gc
from importlib import import_module


def main() -> None:
    """Importing everything makes some 300,000 objects and no garbage: to look for it takes a fifth of the start."""
    gc.disable()
    command_line = import_module("server.cli")
    gc.freeze()
    gc.enable()
    command_line.main()


if __name__ == "__main__":
    main()
