"""Carrying a plan out: observing targets, the executor's loop, one handler a step kind.

Owns the order of acts: journal, check, act, check, journal. Must not decide what `planning`
decides, read the spec while a plan is carried out, or print.
"""
