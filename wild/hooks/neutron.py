"""Neutron's env.py reads its database and its folders from an object on the configuration."""

from neutron.db.migration import cli

ARGUMENTS = ["--subproject", "neutron", "upgrade", "heads"]


def around(config, spec):
    cli.CONF(args=ARGUMENTS, project="neutron", default_config_files=[])
    cli.CONF.set_override("connection", spec["url"], group="database")
    config.neutron_config = cli.CONF
    config.set_main_option("neutron_project", "neutron")
    config.set_main_option("script_location", "neutron.db.migration:alembic_migrations")
    cli._set_version_locations(config)
