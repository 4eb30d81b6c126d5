"""The JSON schema of lorawiz.toml: editors complete and check the file with it."""

import json

from lorawiz.spec.tables import Spec


def build_schema() -> str:
    """JSON schema (draft 2020-12) of the spec; descriptions are the fields' own."""
    schema = Spec.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "lorawiz.toml"
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
