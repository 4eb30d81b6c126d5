"""The spec: every setting of lorawiz.toml, its type, range, default and words.

The string under a field is user-facing copy: help, template comments, the JSON schema and
the reference in the docs are made from it. Names follow sd-scripts; a table's name replaces
a prefix (`network_dim` is `[network] dim`).
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lorawiz.spec.annotating import CaptionTable, CropTable, CutoutTable, TagTable
from lorawiz.spec.cleaning import CleanRule
from lorawiz.spec.network import NetworkTable
from lorawiz.spec.subsets import SubsetTable
from lorawiz.spec.table import Colour, Count, Positive, Share, Side, Table, as_float
from lorawiz.spec.textual_inversion import TextualInversionTable
from lorawiz.spec.training import TrainTable
from lorawiz.spec.validating import ValidationTable


class ProjectTable(Table):
    """Who or what is trained."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = "lora"
    """The LoRA's name: its files are NAME.safetensors. Letters, digits, dot, dash, underscore."""
    trigger: str = ""
    """The word that calls the LoRA in a prompt. Rare and short is best: one or two tokens."""
    class_word: str = ""
    """What the trigger is one of: woman, man, dog, style. Used where an image has no caption."""
    template: str = ""
    """The template that the project was made from: the settings screen marks what differs."""


class BaseTable(Table):
    """The base model that the LoRA is trained on."""

    family: Literal["sd15", "sd2", "sdxl"] = "sd15"
    """The model family. The checkpoint must be one of it."""
    checkpoint: str = ""
    """A .safetensors file or a diffusers folder, by name: looked up in the project's models/,
    in LORAWIZ_MODELS, in the user's data folder. Or a hub id (owner/name)."""
    sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    """SHA-256 of the checkpoint. A run refuses another file of the same name."""
    vae: str = ""
    """Another VAE than the checkpoint's own: a .safetensors file or a diffusers folder, by name."""
    clip_skip: Annotated[int, Field(ge=1, le=4)] = 1
    """Which layer of the text encoder is used, counted from the end: 2 for anime-style bases.
    SDXL always uses the last but one."""
    prediction_type: Literal["epsilon", "v_prediction"] | None = None
    """What the base predicts: the noise (epsilon) or the velocity. Where it is not set, what the
    base says of itself, else its family's usual: velocity for SD2, noise for the others."""
    zero_terminal_snr: bool | None = None
    """The base was tuned with noise levels that end in pure noise, as many v-prediction bases.
    Where it is not set, what the base says of itself."""


class DatasetTable(Table):
    """How images become batches."""

    resolution: Side | tuple[Side, Side] = 512
    """Pixels of the training area: 512, or [width, height]. Buckets keep this area."""
    batch_size: Positive = 1
    """Images a micro-step."""
    num_repeats: Positive = 1
    """How often each image is seen in one epoch."""
    enable_bucket: bool = True
    """Group images by aspect ratio instead of cropping all to one shape."""
    min_bucket_reso: Side = 256
    """The shortest side a bucket may have, in pixels."""
    max_bucket_reso: Side = 1024
    """The longest side a bucket may have, in pixels."""
    bucket_reso_steps: Annotated[int, Field(ge=8, le=512, multiple_of=8)] = 64
    """Bucket sides are multiples of this many pixels."""
    bucket_no_upscale: bool = False
    """Never enlarge an image: small images get buckets of their own size."""
    flip_aug: bool = False
    """Show each image mirrored half of the time. Wrong for faces, which are not symmetric."""
    alpha_background: Colour = "white"
    """What transparent pixels are laid on: white, black or #rrggbb."""
    subsets: tuple[SubsetTable, ...] = ()
    """Folders of images that are trained in their own way, such as class images:
    [[dataset.subsets]] tables."""

    @field_validator("subsets", mode="before")
    @classmethod
    def _tables(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("subsets")
    @classmethod
    def _one_of_each(cls, value: tuple[SubsetTable, ...]) -> tuple[SubsetTable, ...]:
        folders = [each.image_dir for each in value]
        for folder in folders:
            if folders.count(folder) > 1:
                raise ValueError(f"{folder} is the image_dir of two subsets")
        return value

    @field_validator("resolution", mode="before")
    @classmethod
    def _pair(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _bucket_order(self) -> Self:
        if self.min_bucket_reso > self.max_bucket_reso:
            raise ValueError("min_bucket_reso is larger than max_bucket_reso")
        return self

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the training area in pixels."""
        if isinstance(self.resolution, int):
            return self.resolution, self.resolution
        return self.resolution


class PromptTable(Table):
    """How an image's caption and tags become the prompt of a step."""

    caption_separator: Annotated[str, Field(min_length=1)] = ","
    """What stands between caption and tags, and between tags."""
    caption_prefix: str = ""
    """Put before every caption, with one space."""
    caption_suffix: str = ""
    """Put after every caption, with one space."""
    shuffle_caption: bool = False
    """Shuffle the tags anew in each epoch, so that order means nothing."""
    keep_tokens: Count = 0
    """How many parts at the start stay in place when shuffling: the caption and the trigger are 2."""
    keep_tokens_separator: str = ""
    """A mark that ends the kept part, such as |||. It takes the place of keep_tokens."""
    caption_dropout_rate: Share = 0.0
    """Share of prompts that are replaced by the empty prompt."""
    caption_dropout_every_n_epochs: Count = 0
    """Every n-th epoch is trained with empty prompts; 0 is never."""
    caption_tag_dropout_rate: Share = 0.0
    """Share of the tags behind the kept part that are left out, drawn anew for each prompt."""
    secondary_separator: str = ""
    """Joins tags that shuffle as one, such as ;;; in red coat;;;fur collar. In the prompt it
    becomes caption_separator."""
    enable_wildcard: bool = False
    """Draw {one|of|these} anew for each prompt, and one line of a caption of several lines."""
    max_token_length: Literal[75, 150, 225] = 75
    """Tokens of a prompt that are read: 75, or 150 or 225 in passes of 75 each."""
    weighted_captions: bool = False
    """Read brackets as weights: (red:1.2) counts 1.2 times, (red) 1.1 times, [red] less. A bracket
    that belongs to the text is written \\( and \\)."""
    token_warmup_min: Positive = 1
    """How many tags behind the kept part are shown at the first step of the warm-up."""
    token_warmup_step: Annotated[float, Field(ge=0.0)] = 0.0
    """Steps over which the number of tags grows to all; below 1 it is a share of all steps."""

    @field_validator("token_warmup_step", mode="before")
    @classmethod
    def _whole_steps(cls, value: object) -> object:
        return as_float(value)


class SampleTable(Table):
    """Pictures drawn while training, to see it learn."""

    prompts: list[str] = []
    """What to draw. The trigger must be written out where it is wanted."""
    negative_prompt: str = ""
    """What not to draw."""
    every_n_epochs: Positive | None = None
    """Draw every n epochs, and at the end."""
    every_n_steps: Positive | None = None
    """Draw every n optimizer steps, and at the end."""
    at_first: bool = False
    """Draw before the first step too, to compare with."""
    sampler: Literal["ddim", "euler", "dpmsolver++"] = "ddim"
    """The sampler."""
    steps: Annotated[int, Field(ge=1, le=1000)] = 28
    """Denoising steps a picture."""
    guidance: Annotated[float, Field(ge=1.0, le=50.0)] = 7.5
    """How closely the prompt is followed (CFG scale)."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1
    """The seed of the first prompt; each further one adds 1."""
    width: Annotated[int, Field(ge=64, multiple_of=8)] | None = None
    """Pixels; the training resolution where it is not set."""
    height: Annotated[int, Field(ge=64, multiple_of=8)] | None = None
    """Pixels; the training resolution where it is not set."""

    @field_validator("guidance", mode="before")
    @classmethod
    def _whole_guidance(cls, value: object) -> object:
        return as_float(value)


class LaunchTable(Table):
    """How the training process is started."""

    num_processes: Positive = 1
    """Processes that train together, one for each GPU of all machines. A step adds up the batches
    of all, as sd-scripts does."""
    num_machines: Positive = 1
    """Machines that share the project folder and train together. lorawiz run starts the first;
    lorawiz run --join on each other."""
    main_process_ip: str = ""
    """Where the other machines reach the first, such as 10.0.0.1."""
    main_process_port: Annotated[int, Field(ge=1, le=65535)] = 29500
    """The port there. A single machine takes any free one."""
    num_cpu_threads_per_process: Positive | None = None
    """CPU threads of each process; an equal part of all cores where it is not set and
    OMP_NUM_THREADS is not."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.num_processes % self.num_machines:
            raise ValueError(
                f"num_processes = {self.num_processes} is not a multiple of num_machines = "
                f"{self.num_machines}: every machine has as many"
            )
        if self.num_machines > 1 and not self.main_process_ip:
            raise ValueError("num_machines is above 1: set main_process_ip to the first one's")
        return self

    @property
    def processes_here(self) -> int:
        """Those on one machine."""
        return self.num_processes // self.num_machines


class Spec(Table):
    """The whole of lorawiz.toml."""

    schema_version: Annotated[Literal[1], Field(alias="schema")] = 1
    """Version of this file's format."""
    project: ProjectTable = ProjectTable()
    base: BaseTable = BaseTable()
    dataset: DatasetTable = DatasetTable()
    crop: CropTable = CropTable()
    cutout: CutoutTable = CutoutTable()
    caption: CaptionTable = CaptionTable()
    tag: TagTable = TagTable()
    clean: tuple[CleanRule, ...] = ()
    """Cleaning rules, applied in order to what was tagged and brought: [[clean]] tables."""
    prompt: PromptTable = PromptTable()
    network: NetworkTable = NetworkTable()
    textual_inversion: TextualInversionTable = TextualInversionTable()
    train: TrainTable = TrainTable()
    sample: SampleTable = SampleTable()
    validation: ValidationTable = ValidationTable()
    launch: LaunchTable = LaunchTable()

    @field_validator("clean", mode="before")
    @classmethod
    def _rules(cls, value: object) -> object:
        return tuple(value) if isinstance(value, list) else value

    @property
    def batches_per_step(self) -> int:
        """Batches that one optimizer step adds up, over all processes."""
        return self.train.gradient_accumulation_steps * self.launch.num_processes

    @property
    def trains_unet(self) -> bool:
        return self.network.kind != "none" and not self.network.train_text_encoder_only

    @property
    def trains_text_encoder(self) -> bool:
        if self.network.kind == "none":
            return False
        if self.trains_full and not self.network.train_text_encoder_only:
            return self.train.text_encoder_lr is not None and not self.network.train_unet_only
        return not self.network.train_unet_only

    @property
    def trains_token(self) -> bool:
        """Whether a new word trains."""
        return bool(self.textual_inversion.token_string)

    @property
    def changes_text(self) -> bool:
        """Whether what a prompt becomes is another behind each step, so that nothing caches it."""
        return self.trains_text_encoder or self.trains_token

    @property
    def init_word(self) -> str:
        """What the new word begins as."""
        return self.textual_inversion.init_word or self.project.class_word

    @property
    def trains_full(self) -> bool:
        """Whether the base's own weights train."""
        return self.network.kind == "full"

    @property
    def sample_size(self) -> tuple[int, int]:
        """(width, height) of sample pictures in pixels, multiples of 8."""
        width, height = self.dataset.size
        return self.sample.width or width // 8 * 8, self.sample.height or height // 8 * 8
