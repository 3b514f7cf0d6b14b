"""Tells of each text whether it is a configuration by docs/pipelines.schema.json.

Usage: schema.py SCHEMA

Standard input is a JSON list of YAML texts, standard output a list of true, or of the first thing that is wrong.
"""

import json
import pathlib
import sys

import jsonschema
import yaml


class Loader(yaml.SafeLoader):
    """YAML as editors read it: a date is a text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def main() -> None:
    """Judges every text."""
    schema = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    judge = jsonschema.Draft7Validator(schema)
    found = []
    for text in json.load(sys.stdin):
        error = next(judge.iter_errors(yaml.load(text, Loader)), None)
        found.append(True if error is None else f"{error.json_path}: {error.message}")
    json.dump(found, sys.stdout)


main()
