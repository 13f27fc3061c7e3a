"""The reference page and the JSON Schema say what the reader does."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrate.domain.spec import Environment, json_schema
from orchestrate.stores.spec_files import load_spec

PAGE = Path(__file__).parents[2] / "docs" / "spec.md"
EXAMPLES = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
SCHEMA = json_schema()
STAGING = "name: staging\nurl: {env: STAGING_DATABASE_URL}\n"


@pytest.mark.parametrize(
    ("name", "text"), EXAMPLES, ids=[f"{n}-{name}" for n, (name, _) in enumerate(EXAMPLES)]
)
def test_example_is_a_spec(name: str, text: str, tmp_path: Path) -> None:
    """Every example of the page can be pasted, and editors that know the schema agree."""
    (tmp_path / "environments").mkdir()
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "north.yaml").write_text("name: north\nurl: {env: NORTH_URL}\n")
    if name != "migrations.yaml":
        (tmp_path / "migrations.yaml").write_text("version: 1\n")
        (tmp_path / "environments" / "staging.yaml").write_text(STAGING)
    (tmp_path / name).write_text(text)

    spec = load_spec(None, start=tmp_path)

    assert spec.path == tmp_path / "migrations.yaml"
    definition = {} if name == "migrations.yaml" else {"$ref": "#/$defs/Environment"}
    schema = SCHEMA if not definition else {"$defs": SCHEMA["$defs"], **definition}
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(text))


def test_page_has_every_key() -> None:
    """A key that is added to the models is missed here until the page tells of it."""
    told = set(re.findall(r"[`{ ]([a-z_-]+)[`:]", PAGE.read_text(encoding="utf-8")))

    assert sorted(_keys(SCHEMA) - told) == []


def test_every_key_of_the_schema_is_described() -> None:
    """Editors show a sentence for each key."""
    silent = [
        name
        for properties in _properties(SCHEMA)
        for name, schema in properties.items()
        if not schema.get("description")
    ]

    assert silent == []


def test_schema_is_valid_and_closed() -> None:
    """The schema is one of its own kind, has a title, and knows no other keys."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "orchestrate: migrations.yaml"
    assert SCHEMA["additionalProperties"] is False
    assert set(SCHEMA["$defs"]["Environment"]["properties"]) == set(Environment.model_fields)


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({"name": "a", "url": "sqlite://"}, True),
        ({"name": "a", "x-note": 1}, True),
        ({"name": "a", "lock_timeout": 5}, False),
        ({"name": "a", "windw": {}}, False),
        ({"name": "a", "url": {"env": "A", "file": "b"}}, False),
        ({"name": "a", "policy": {"long-lock": "block"}}, True),
        ({"name": "a", "targets": {"list": ["x"], "waves": [{"size": "rest"}]}}, True),
        ({"url": "sqlite://"}, False),
    ],
)
def test_schema_judges_as_the_reader_does(value: object, valid: bool) -> None:
    """What an editor underlines is what `validate` refuses."""
    schema = {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/Environment"}

    assert jsonschema.Draft202012Validator(schema).is_valid(value) is valid


def _properties(schema: Any) -> list[dict[str, Any]]:
    """Return every `properties` of a schema, at any depth."""
    if isinstance(schema, list):
        return [found for one in schema for found in _properties(one)]
    if not isinstance(schema, dict):
        return []
    own = [schema["properties"]] if isinstance(schema.get("properties"), dict) else []
    parts = [value for key, value in schema.items() if key not in {"examples", "default"}]
    return own + _properties(parts)


def _keys(schema: Any) -> set[str]:
    """Return every key of a schema."""
    return {name for properties in _properties(schema) for name in properties}
