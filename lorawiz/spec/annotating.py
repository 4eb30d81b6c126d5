"""The tables of the commands that look at images: crop, cutout, caption, tag."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lorawiz.spec.table import Positive, Share, Table, as_float


class CropTable(Table):
    """How `lorawiz crop` chooses a box around the face."""

    detector: Literal["blazeface"] = "blazeface"
    """What finds faces. blazeface comes with lorawiz and works offline."""
    faces: Literal["largest", "all"] = "largest"
    """Crop to the largest face of a photo, or to a box that holds all of them."""
    margin: Annotated[float, Field(ge=0.0, le=10.0)] = 0.8
    """Room around the face, as a share of its size, on each side: 0 is the bare face."""
    aspect: Literal["square", "bucket"] = "bucket"
    """The box is square, or has the shape of a training bucket, so that nothing more is cut."""
    keep_full: bool = False
    """Keep as much of the photo as the aspect allows, with the face inside, in place of margin."""
    min_score: Share = 0.6
    """How sure the detector has to be that something is a face."""

    @field_validator("margin", "min_score", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)


class CutoutTable(Table):
    """How `lorawiz cutout` masks the subject, and what training puts behind it."""

    segmenter: Literal["selfie"] = "selfie"
    """What finds the subject. selfie finds people, comes with lorawiz and works offline."""
    feather: Annotated[float, Field(ge=0.0, le=0.1)] = 0.005
    """How soft the mask's edge is, as a share of the shorter side of what is kept."""
    background: Annotated[str, Field(pattern=r"^(keep|blur|white|black|#[0-9a-fA-F]{6})$")] = "keep"
    """What stands behind a masked subject: keep (as it was), blur, white, black or #rrggbb."""
    blur: Annotated[float, Field(gt=0.0, le=0.5)] = 0.03
    """How far background = "blur" spreads, as a share of the image's shorter side."""

    @field_validator("feather", "blur", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)


class CaptionTable(Table):
    """How `lorawiz caption` describes images in sentences."""

    model: str = "none"
    """A BLIP or Florence-2 model: a folder by name (models/ and so on) or a hub id, or none."""
    batch_size: Positive = 8
    """Images captioned at once. The text does not depend on it."""
    beam_search: bool = False
    """Search for the likeliest sentence in place of drawing one (nucleus sampling)."""
    num_beams: Annotated[int, Field(ge=1, le=32)] = 3
    """Beams of beam_search: more is slower and safer."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Sampling draws from the likeliest words that together have this probability."""
    max_length: Annotated[int, Field(ge=1, le=1024)] = 75
    """The longest caption, in tokens of the captioner."""
    min_length: Annotated[int, Field(ge=0, le=1024)] = 5
    """The shortest caption, in tokens of the captioner."""
    prefix: str = "a picture of "
    """How a BLIP caption is made to begin; it is taken off again."""
    detail: Literal["short", "detailed", "more_detailed"] = "detailed"
    """How much a Florence-2 caption tells."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """The same seed and image give the same caption."""

    @field_validator("top_p", mode="before")
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)

    @model_validator(mode="after")
    def _length_order(self) -> Self:
        if self.min_length > self.max_length:
            raise ValueError("min_length is larger than max_length")
        return self


class TagTable(Table):
    """How `lorawiz tag` turns images into tags. The names are those of sd-scripts' tagger."""

    model: str = "none"
    """A WD14 or cl_tagger model: a folder by name (models/ and so on) or a hub id, or none."""
    batch_size: Positive = 8
    """Images scored at once. The scores do not depend on it."""
    provider: Literal["auto", "cuda", "cpu"] = "auto"
    """Where the tagger runs: on the GPU when onnxruntime has one, or where it is told."""
    full_decode: bool = False
    """Decode photos in full before they are shrunk. Slower; scores as sd-scripts gives them."""
    thresh: Share = 0.35
    """The score from which a tag is used."""
    general_threshold: Share | None = None
    """The score from which a general tag is used; thresh where it is not set."""
    character_threshold: Share | None = None
    """The score from which a character's name is used; thresh where it is not set."""
    copyright_threshold: Share | None = None
    """The score from which a series' name is used (cl_tagger); thresh where it is not set."""
    artist_threshold: Share | None = None
    """The score from which an artist's name is used (cl_tagger); thresh where it is not set."""
    meta_threshold: Share | None = None
    """The score from which a tag about the picture is used (cl_tagger); thresh where not set."""
    model_threshold: Share | None = None
    """The score from which a drawing model's name is used (cl_tagger); thresh where not set."""
    remove_underscore: bool = True
    """Write `long hair` for `long_hair`. Faces such as ^_^ and (o)_(o) stay."""
    character_tag_expand: bool = False
    """Write `name_(series)` as two tags, name and series."""
    undesired_tags: list[str] = []
    """Tags that are never used, as they are written after remove_underscore."""
    tag_replacement: dict[str, str] = {}
    """Tags to write in place of others: { "tank top" = "sleeveless shirt" }."""
    always_first_tags: list[str] = []
    """Tags to put first, in this order, on the images that have them."""
    character_tags_first: bool = False
    """Put characters' names before all other tags."""
    use_rating_tags: bool = False
    """Put the likeliest rating (general, sensitive, questionable, explicit) first."""
    use_rating_tags_as_last_tag: bool = False
    """Put the likeliest rating last."""
    use_quality_tags: bool = False
    """Put the likeliest quality tag first (cl_tagger)."""
    use_quality_tags_as_last_tag: bool = False
    """Put the likeliest quality tag last (cl_tagger)."""
    append_tags: bool = False
    """Keep the tags that an image came with and put the new ones behind them."""

    @field_validator(
        "thresh", "general_threshold", "character_threshold", "copyright_threshold",
        "artist_threshold", "meta_threshold", "model_threshold", mode="before",
    )  # fmt: skip
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)
