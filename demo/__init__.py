"""A walk through the example shop: `make demo`, or `python -m demo`."""
