"""The tests of orchestrate; they mirror `src/orchestrate`."""
