"""Airflow asks for mysqlclient; PyMySQL stands in for it, which needs no compiler."""

import importlib

import pymysql
from pymysql.constants import CLIENT


def session(spec):
    pymysql.install_as_MySQLdb()
    converters = importlib.import_module("MySQLdb.converters")
    converters.DateTime2literal = pymysql.converters.escape_datetime
    CLIENT.CAPABILITIES |= CLIENT.MULTI_STATEMENTS
