"""What is to be trained and how: the tables of lorawiz.toml, the file, templates, schema."""

from lorawiz.spec.document import load_spec
from lorawiz.spec.tables import Spec

__all__ = ["Spec", "load_spec"]
