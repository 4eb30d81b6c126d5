"""A [[dataset.subsets]] table put into lorawiz.toml; all other lines stay as they are."""

import json
from pathlib import Path

from lorawiz.errors import SpecError
from lorawiz.spec.document import build_spec, parse_spec, rewrite_spec
from lorawiz.spec.subsets import SubsetTable


def add_subset(path: Path, subset: SubsetTable) -> bool:
    """Put `subset` at the end of the spec unless one of its folder is there. Whether it was put in.

    Raises SpecError, with the file untouched, for a spec that is invalid with it.
    """

    def change(text: str) -> str:
        spec = build_spec(parse_spec(text, path.name), text, path.name)
        for each in spec.dataset.subsets:
            if each.image_dir == subset.image_dir:
                _refuse_other_kind(each, subset)
                return text
        line_end = "\r\n" if "\r\n" in text else "\n"
        lines = ["", "[[dataset.subsets]]", f"image_dir = {json.dumps(subset.image_dir)}"]
        if subset.is_reg:
            lines.append("is_reg = true")
        if subset.class_tokens:
            lines.append(f"class_tokens = {json.dumps(subset.class_tokens, ensure_ascii=False)}")
        added = text.rstrip("\r\n") + line_end + line_end.join([*lines, ""])
        build_spec(parse_spec(added, path.name), added, path.name)
        return added

    before, after = rewrite_spec(path, change)
    return before != after


def _refuse_other_kind(there: SubsetTable, wanted: SubsetTable) -> None:
    if there.is_reg and not wanted.is_reg:
        raise SpecError(
            f"{there.image_dir} holds class images", "name another folder, or say --reg too"
        )
    if wanted.is_reg and not there.is_reg:
        raise SpecError(
            f"{there.image_dir} is a subset of the subject's images, not of class images",
            "name another folder: --subset class-images",
        )
