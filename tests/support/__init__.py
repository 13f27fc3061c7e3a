"""Builders, fakes and servers that the tests share; no test is in here."""
