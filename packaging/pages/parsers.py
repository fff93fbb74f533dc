"""The parsers of the programs, also where the programs themselves could not run."""

from __future__ import annotations

import argparse


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each program, by the program's name."""
    from rockit.focuser.ok3z.cli import arguments
    from rockit.focuser.ok3z.daemon import main as daemon
    from rockit.focuser.ok3z.simulator import program

    made = (arguments.new_parser(), daemon.new_parser(), program.new_parser())
    return {parser.prog: parser for parser in made}
