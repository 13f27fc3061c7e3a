"""Keystone knows the folders of its revisions only in code."""

import keystone.conf
from keystone.common.sql import upgrades
from oslo_db import options


def around(config, spec):
    keystone.conf.configure()
    options.set_defaults(keystone.conf.CONF)
    folders = upgrades.get_alembic_config().get_main_option("version_locations")
    config.set_main_option("version_locations", folders)
