"""How a run trains: length, speed, precision, noise and loss, as settings."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lorawiz.spec.arguments import Arguments
from lorawiz.spec.lr_schedulers import LR_SCHEDULERS
from lorawiz.spec.optimizers import OPTIMIZERS, find_name
from lorawiz.spec.table import LearningRate, Positive, Share, Table, as_float

Strength = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]


class TrainTable(Table):
    """How long, how fast and how exactly it trains."""

    max_train_epochs: Positive | None = None
    """How many times all images are seen. Takes the place of max_train_steps."""
    max_train_steps: Positive = 1600
    """Optimizer steps in all, where max_train_epochs is not set."""
    learning_rate: LearningRate = 1e-4
    """The learning rate of all parts that have none of their own."""
    unet_lr: LearningRate | None = None
    """The U-Net's own learning rate."""
    text_encoder_lr: LearningRate | None = None
    """The text encoder's own learning rate; often half of the U-Net's. Full fine-tuning trains the
    text encoder where this is set."""
    optimizer_type: Annotated[str, Field(examples=list(OPTIMIZERS))] = "AdamW"
    """The optimizer: AdamW, AdamW8bit, Lion, Prodigy, AdaFactor, AdamWScheduleFree and sd-scripts'
    others, or the dotted path of a class."""
    optimizer_args: Arguments = {}
    """Arguments of the optimizer, such as { weight_decay = 0.01, betas = [0.9, 0.99] }."""
    lr_scheduler: Annotated[str, Field(examples=list(LR_SCHEDULERS))] = "constant"
    """How the learning rate changes: constant, cosine, linear, rex and sd-scripts' others, or the
    dotted path of a torch scheduler."""
    lr_scheduler_args: Arguments = {}
    """Further arguments of the scheduler, such as { step_rules = "1:500,0.1:800,0.01" } of
    piecewise_constant."""
    lr_warmup_steps: Annotated[float, Field(ge=0.0)] = 0.0
    """Steps over which the learning rate rises from zero; below 1 it is a share of all steps."""
    lr_decay_steps: Annotated[float, Field(ge=0.0)] = 0.0
    """Steps over which warmup_stable_decay falls at the end; below 1 it is a share of all steps."""
    lr_scheduler_num_cycles: Positive = 1
    """How often cosine_with_restarts starts anew; half waves of cosine_with_min_lr and
    warmup_stable_decay."""
    lr_scheduler_power: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    """The exponent of polynomial: 1 is a line, 2 falls faster at first."""
    lr_scheduler_timescale: Positive | None = None
    """Steps over which inverse_sqrt falls; the warm-up's where it is not set."""
    lr_scheduler_min_lr_ratio: Share | None = None
    """The share of the learning rate that is left at the end of cosine_with_min_lr,
    warmup_stable_decay and rex."""
    ema_decay: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Save and draw the moving average of the weights (EMA): what is left of it behind each step.
    0.99 for some hundred steps, 0.999 for some thousand."""
    gradient_accumulation_steps: Positive = 1
    """Batches summed for one optimizer step: a larger batch without its memory."""
    max_grad_norm: Annotated[float, Field(ge=0.0)] = 1.0
    """Gradients are clipped to this norm; 0 is no clipping."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: much less memory, about a third slower."""
    fp8_base: bool = False
    """Store the U-Net's frozen weights in 8 bits: a quarter of fp32's memory, half of fp16's. For
    lora and locon."""
    nf4_base: bool = False
    """Store them in 4 bits, as QLoRA does; needs bitsandbytes. For lora and locon."""
    cpu_offload_checkpointing: bool = False
    """With gradient_checkpointing: keep what is left of activations in the CPU's memory. Less of
    the GPU's, and slower."""
    mixed_precision: Literal["no", "fp16", "bf16"] = "no"
    """Compute in half precision: bf16 on newer GPUs, fp16 on older ones, no on a CPU."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """The same seed, inputs and machine give the same LoRA."""
    save_every_n_epochs: Positive | None = None
    """Save NAME-eNNNN.safetensors, and the state to resume from, every n epochs."""
    save_every_n_steps: Positive | None = None
    """Save NAME-sNNNNNN.safetensors, and the state to resume from, every n optimizer steps."""
    save_precision: Literal["float", "fp16", "bf16"] = "fp16"
    """The number format of what is saved."""
    save_model_as: Literal["safetensors", "diffusers"] = "safetensors"
    """How full fine-tuning saves the model: as NAME.safetensors in the original layout, which web
    UIs load, or as the diffusers folder NAME-diffusers."""
    loss_type: Literal["l2", "l1", "huber", "smooth_l1"] = "l2"
    """How an error counts: squared, or less strongly where it is large (huber, smooth_l1)."""
    huber_schedule: Literal["snr", "constant", "exponential"] = "snr"
    """How the error from which huber and smooth_l1 count less depends on the noise level."""
    huber_c: Annotated[float, Field(gt=0.0, le=1.0)] = 0.1
    """The error from which huber and smooth_l1 count less; with snr and exponential, the least."""
    huber_scale: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 1.0
    """Multiplies that error under the schedules constant and exponential."""
    prior_loss_weight: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1.0
    """How much the error of class images counts."""
    masked_loss: bool = False
    """Count the error where an image's mask is white, and elsewhere by unmasked_weight. Images
    without a mask count everywhere."""
    unmasked_weight: Share = 0.1
    """With masked_loss: how much the error outside of the mask counts. 0 learns nothing of it, and
    may let backgrounds fall apart."""
    min_snr_gamma: Strength | None = None
    """Steps at low noise count at most as much as this signal-to-noise ratio; 5 is the paper's."""
    debiased_estimation_loss: bool = False
    """Count a step by 1 / sqrt(SNR), so that high noise is learnt as well."""
    scale_v_pred_loss_like_noise_pred: bool = False
    """Count the steps of a v-prediction base as a noise prediction would."""
    v_pred_like_loss: Strength | None = None
    """Add this share of the loss that a v-prediction base would have."""
    noise_offset: Strength | None = None
    """Shift each channel's noise by this much, for darker and brighter pictures; 0.05 to 0.1."""
    noise_offset_random_strength: bool = False
    """Draw each image's offset between zero and noise_offset."""
    adaptive_noise_scale: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Add this times the mean of each latent channel to noise_offset."""
    multires_noise_iterations: Annotated[int, Field(ge=1, le=16)] | None = None
    """Add noise of ever coarser grain, so many times; 6 to 10."""
    multires_noise_discount: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    """How much weaker each coarser noise is."""
    ip_noise_gamma: Strength | None = None
    """Disturb what the model sees by this much more noise than it has to predict; about 0.1."""
    ip_noise_gamma_random_strength: bool = False
    """Draw each image's strength between zero and ip_noise_gamma."""
    min_timestep: Annotated[int, Field(ge=0, lt=1000)] = 0
    """The least noise level that is trained, of 0 to 999."""
    max_timestep: Annotated[int, Field(ge=1, le=1000)] = 1000
    """The noise level from which none is trained, of 1 to 1000."""
    on_nan: Literal["stop", "skip"] = "stop"
    """What happens to a step whose loss or gradient is not finite: the run stops, or goes on with
    the next step; the weights stay as they were."""
    training_comment: str = ""
    """A remark that is kept in the LoRA's metadata."""

    @field_validator(
        "learning_rate", "unet_lr", "text_encoder_lr", "lr_warmup_steps", "lr_decay_steps",
        "lr_scheduler_power", "lr_scheduler_min_lr_ratio", "max_grad_norm",
        "prior_loss_weight", "unmasked_weight", "huber_c", "huber_scale", "min_snr_gamma", "v_pred_like_loss", "noise_offset",
        "adaptive_noise_scale", "multires_noise_discount", "ip_noise_gamma",
        mode="before",
    )  # fmt: skip
    @classmethod
    def _whole_numbers(cls, value: object) -> object:
        return as_float(value)

    def part_lr(self, part: Literal["unet", "text_encoder"]) -> float:
        """The learning rate of one part: its own, or that of all."""
        own = self.unet_lr if part == "unet" else self.text_encoder_lr
        return self.learning_rate if own is None else own

    @field_validator("optimizer_type")
    @classmethod
    def _known_optimizer(cls, value: str) -> str:
        return find_name(value, OPTIMIZERS, "optimizer", "torch.optim.RAdam")

    @field_validator("lr_scheduler")
    @classmethod
    def _known_scheduler(cls, value: str) -> str:
        example = "torch.optim.lr_scheduler.OneCycleLR"
        return find_name(value, LR_SCHEDULERS, "scheduler", example)

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        if self.fp8_base and self.nf4_base:
            raise ValueError("fp8_base and nf4_base are both set: choose one")
        return self

    @model_validator(mode="after")
    def _some_timesteps(self) -> Self:
        if self.min_timestep >= self.max_timestep:
            raise ValueError("min_timestep is not below max_timestep: nothing would be trained")
        return self
