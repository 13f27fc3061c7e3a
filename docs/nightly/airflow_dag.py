"""Airflow 3: look for drift every morning. In the DAG folder, as `orchestrate_drift.py`."""

from datetime import UTC, datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    dag_id="orchestrate_drift",
    description="Who moved or changed a database without a revision",
    schedule="15 5 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
):
    BashOperator(
        task_id="drift",
        cwd="/srv/shop",
        bash_command=(
            "orchestrate --no-input drift --new-only --exit-code --notify "
            "--html /srv/reports/drift.html --metrics /srv/metrics/orchestrate.prom"
        ),
        env={
            "PROD_DATABASE_URL": "{{ conn.shop_production_reader.get_uri() }}",
            "ORCHESTRATE_STATE_URL": "{{ conn.orchestrate_state.get_uri() }}",
        },
        append_env=True,
        # News is told once: a second try would find none, and end as if all were well.
        retries=0,
    )
