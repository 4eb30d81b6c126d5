"""What is trained beside the base model, as settings: kind, ranks, places, rates, dropout."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lorawiz.spec.table import Table, as_float

AdapterKind = Literal["lora", "locon", "dora", "loha", "lokr", "oft"]
Kind = Literal[AdapterKind, "full", "none"]
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]
Alpha = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Dim = Annotated[int, Field(ge=1, le=1024)]
BlockDim = Annotated[int, Field(ge=0, le=1024)]

_LOW_RANK = ("lora", "locon", "dora")


class NetworkTable(Table):
    """What is trained: the adapter, or the base itself."""

    kind: Kind = "lora"
    """The kind of adapter: lora; locon is a lora of the convolutions too; dora trains the size of
    weights apart from their direction; loha and lokr are made of products; oft turns blocks of up to
    dim rows. full trains the base's own weights, its text encoder where train.text_encoder_lr is
    set; none is for textual inversion alone."""
    dim: Dim = 16
    """The rank: more holds more detail, in a larger file. 8 to 32 for a face."""
    alpha: Alpha = 8.0
    """Scales the LoRA by alpha / dim. Half of dim is a common choice."""
    conv_dim: Dim | None = None
    """The rank in 3×3 convolutions. Where it is set, any kind reaches the convolutions outside of
    attention; locon takes dim where it is not."""
    conv_alpha: Alpha | None = None
    """Scales convolutions by conv_alpha / conv_dim; where it is not set, as alpha / dim."""
    factor: Annotated[int, Field(ge=2, le=256)] | None = None
    """Of lokr: the small matrix has at most so many rows and columns; 8 where it is not set."""
    dropout: Dropout = 0.0
    """Share of the values between the two matrices that are zeroed in training."""
    rank_dropout: Dropout = 0.0
    """Share of the ranks that are left out in training, drawn for each image and layer."""
    module_dropout: Dropout = 0.0
    """Share of the layers that are left out in training, drawn for each step."""
    block_dims: list[BlockDim] | None = None
    """A rank for each block of the U-Net, 0 for none: 25 numbers, 23 of SDXL, as in sd-scripts."""
    block_alphas: list[Alpha] | None = None
    """The alpha of each block; alpha where it is not set."""
    conv_block_dims: list[BlockDim] | None = None
    """The rank in each block's 3×3 convolutions; conv_dim where it is not set."""
    conv_block_alphas: list[Alpha] | None = None
    """The alpha in each block's 3×3 convolutions; conv_alpha where it is not set."""
    down_lr_weight: list[Weight] | None = None
    """Multiplies the learning rate of each block on the way down: 12 numbers, 9 of SDXL. 0 leaves
    the block out."""
    mid_lr_weight: list[Weight] | None = None
    """Multiplies the learning rate of the middle: 1 number, 3 of SDXL."""
    up_lr_weight: list[Weight] | None = None
    """Multiplies the learning rate of each block on the way up: 12 numbers, 9 of SDXL."""
    block_lr_zero_threshold: Weight = 0.0
    """Blocks whose weight is not above this are left out."""
    loraplus_lr_ratio: Ratio | None = None
    """LoRA+: multiplies the learning rate of the second matrix; 16 is the paper's."""
    loraplus_unet_lr_ratio: Ratio | None = None
    """The same for the U-Net alone."""
    loraplus_text_encoder_lr_ratio: Ratio | None = None
    """The same for the text encoder alone."""
    scale_weight_norms: Ratio | None = None
    """After each step, scale down every layer whose weights have a larger norm; 1 is usual."""
    weights: str = ""
    """Go on from this LoRA: a .safetensors file by name, looked up in the project's folder, in its
    models/, and in LORAWIZ_MODELS."""
    dim_from_weights: bool = False
    """Take every rank and alpha from that file."""
    targets: list[str] = []
    """Only layers whose name in the file fits one of these, such as ["*attn2*"]; one that begins
    with ! takes layers out."""
    train_unet_only: bool = False
    """Leave the text encoder as it is: faster, and its outputs can be cached."""
    train_text_encoder_only: bool = False
    """Leave the U-Net as it is."""

    @property
    def has_adapter(self) -> bool:
        """Whether something is trained beside the base."""
        return self.kind not in ("full", "none")

    @property
    def reaches_convolutions(self) -> bool:
        """Whether layers outside of attention are trained too."""
        return self.kind == "locon" or self.conv_dim is not None or bool(self.conv_block_dims)

    @property
    def wide_dim(self) -> int:
        """The rank in convolutions over more than one pixel; 0 where they are not reached."""
        return self.conv_dim or (self.dim if self.kind == "locon" else 0)

    @property
    def lokr_factor(self) -> int:
        """`factor`, or what it is where it is not set."""
        return self.factor or 8

    @field_validator(
        "alpha", "conv_alpha", "block_lr_zero_threshold", "loraplus_lr_ratio",
        "loraplus_unet_lr_ratio", "loraplus_text_encoder_lr_ratio", "scale_weight_norms",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _whole_number(cls, value: object) -> object:
        return as_float(value)

    @field_validator(
        "block_alphas", "conv_block_alphas", "down_lr_weight", "mid_lr_weight", "up_lr_weight",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return [as_float(each) for each in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _something_to_train(self) -> Self:
        if self.train_unet_only and self.train_text_encoder_only:
            raise ValueError("train_unet_only and train_text_encoder_only leave nothing to train")
        return self

    @model_validator(mode="after")
    def _of_this_kind(self) -> Self:
        """Settings that another kind has, and this one has not."""
        for key in ("dropout", "rank_dropout", "scale_weight_norms"):
            if getattr(self, key) and self.kind not in _LOW_RANK:
                raise ValueError(
                    f"{key} is of {', '.join(_LOW_RANK)}, not of {self.kind}: leave it out"
                )
        if self.factor and self.kind != "lokr":
            raise ValueError(f"factor is of lokr, not of {self.kind}: leave it out")
        if self.kind == "oft" and self._has_alphas:
            raise ValueError("oft has no alpha: leave conv_alpha and the blocks' alphas out")
        if self.dim_from_weights and not self.weights:
            raise ValueError("dim_from_weights needs weights: the LoRA to take them from")
        return self

    @property
    def _has_alphas(self) -> bool:
        return any((self.conv_alpha, self.block_alphas, self.conv_block_alphas))


BLOCK_LISTS: tuple[tuple[str, Literal["all", "down", "mid", "up"]], ...] = (
    ("block_dims", "all"), ("block_alphas", "all"),
    ("conv_block_dims", "all"), ("conv_block_alphas", "all"),
    ("down_lr_weight", "down"), ("mid_lr_weight", "mid"), ("up_lr_weight", "up"),
)  # fmt: skip
"""The settings that have a number for each block, and of which blocks."""
