"""Folders of images that are trained in their own way, as settings."""

from typing import Annotated

from pydantic import Field

from lorawiz.spec.table import Positive, Table

ImageDir = Annotated[str, Field(pattern=r"^images(/[^/\\.][^/\\]*)+$")]


class SubsetTable(Table):
    """Images of one folder."""

    image_dir: ImageDir
    """The folder, such as images/class. `lorawiz add --subset class` brings images into it."""
    is_reg: bool = False
    """Class images: what the base draws of the class without the trigger, to keep it so. Each epoch
    sees as many of them as of the others."""
    class_tokens: str = ""
    """The prompt of its images that have no words of their own; the class word where it is empty."""
    num_repeats: Positive | None = None
    """How often each image is seen in one epoch; dataset.num_repeats where it is not set."""
