"""`python -m orchestrate`: the same as the command `orchestrate`."""

from orchestrate.cli.entry import program

program()
