"""Airflow imports MySQLdb for any MySQL; PyMySQL stands in for it, which needs no compiler."""

import pymysql


def session(spec):
    pymysql.install_as_MySQLdb()
