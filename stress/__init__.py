"""Runs that are killed at random and gone on with as the program says: `make stress`."""
