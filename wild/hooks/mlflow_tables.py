"""MLflow makes its first tables itself, before the first revision."""

import os

from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine

Base.metadata.create_all(create_engine(os.environ["ORCHESTRATE_DATABASE_URL"]))
