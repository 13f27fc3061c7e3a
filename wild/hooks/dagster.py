"""Some of Dagster's revisions ask for the instance that is being upgraded."""

from dagster import DagsterInstance
from dagster._core.storage.migration.utils import upgrading_instance


def around(config, spec):
    return upgrading_instance(DagsterInstance.ephemeral())
