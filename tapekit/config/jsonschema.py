"""The schema of tapekit.toml, for editors and for the page on the configuration."""

import ast
import inspect
import itertools
import textwrap
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from tapekit.config.fields import Table
from tapekit.config.values import Duration


class Schema(GenerateJsonSchema):
    """Each field with the text below it as its description, and its default as a person writes it: "2 days".

    pydantic can take these texts up itself, but does so whenever the tables are imported: at each command's start.
    """

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The schema of one table."""
        made = super().model_schema(schema)
        texts = _texts(schema["cls"])
        for key, field in made.get("properties", {}).items():
            if key in texts:
                field["description"] = texts[key]
        return made

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - any value of a field
        """The default as it stands in the file."""
        return str(dft) if isinstance(dft, Duration) else super().encode_default(dft)


def _texts(table: type[Any]) -> dict[str, str]:
    """The text below each field of a table, its own and those that it inherits."""
    texts: dict[str, str] = {}
    for one in reversed(table.__mro__):
        if one is not Table and issubclass(one, Table):
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
            texts |= _texts_in(definition)
    return texts


def _texts_in(definition: ast.stmt) -> dict[str, str]:
    lines = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in itertools.pairwise(lines)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }  # fmt: skip
