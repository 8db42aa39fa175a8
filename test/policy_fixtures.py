"""Small policies for the tests: real models with random weights, made in seconds, nothing downloaded."""

import json

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PI0Config, PI0ForConditionalGeneration, PI0Processor, PreTrainedTokenizerFast

from ams_ros.policy.checkpoint import write_checkpoint
from ams_ros.policy.checkpoint_card import CheckpointCard
from ams_ros.policy.embodiment import Embodiment
from ams_ros.policy.normalisation import Normalisation, PixelStatistics
from ams_ros.policy.processor_inputs import PillowPictures
from ams_ros.policy.vocabulary import WordVocabulary
from ams_ros.training.architecture import small_config
from ams_ros.training.recipe import Recipe
from ams_ros.types import CameraImage, Observation

INSTRUCTION = "put the cubes in the bowl"
CAMERAS = ("front", "wrist")


def embodiment(dof=6, limit=3.0, relative=True, execute=8, levels=()):
    ones = np.ones(dof + 1, np.float32)
    return Embodiment(
        cameras=CAMERAS,
        joint_names=tuple(f"joint_{index}" for index in range(dof)),
        joint_lower=np.full(dof, -limit),
        joint_upper=np.full(dof, limit),
        gripper_lower=0.015,
        gripper_upper=0.037,
        gripper_levels=np.array(levels, float),
        execute=execute,
        period=0.05,
        relative_joints=relative,
        normalisation=Normalisation(0.1 * ones, 0.5 * ones, 0.0 * ones, 0.05 * ones),
    )


def random_model(seed=0):
    torch.manual_seed(seed)
    return PI0ForConditionalGeneration(small_config(Recipe(), values=7))


def save_small_checkpoint(folder, **body):
    card = CheckpointCard(
        model_id="random",
        weights_sha256="",
        embodiment=embodiment(**body),
        instructions=(INSTRUCTION,),
        denoising_steps=10,
        vocabulary=WordVocabulary.of([INSTRUCTION]).words,
        pixels=PixelStatistics(np.full(3, 120.0, np.float32), np.full(3, 60.0, np.float32)),
        training={"seed": 0},
    )
    write_checkpoint(folder, random_model(), card)
    return folder


def save_published_checkpoint(folder):
    """A tiny pi0 as it would be published: its own processor and tokenizer, no ams.json."""
    words = ["<unk>", "<pad>", "<bos>", "<eos>", "put", "the", "cubes", "in", "bowl", "spoon"]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )
    square = {"height": 32, "width": 32}
    pictures = PillowPictures(size={"max_height": 32, "max_width": 32}, pad_size=square, image_seq_length=4)
    processor = PI0Processor(image_processor=pictures, tokenizer=fast)
    processor.save_pretrained(folder)
    # A published folder names transformers' own class, not the stand-in for machines without torchvision.
    settings = folder / "processor_config.json"
    content = json.loads(settings.read_text())
    content["image_processor"]["image_processor_type"] = "PI0ImageProcessor"
    settings.write_text(json.dumps(content))
    gemma = {
        "model_type": "gemma",
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "vocab_size": len(fast),
    }
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "patch_size": 16,
        "image_size": 32,
        "vision_use_head": False,
    }
    config = PI0Config(
        vlm_config={
            "model_type": "paligemma",
            "text_config": gemma,
            "vision_config": vision,
            "projection_dim": 32,
            "image_token_id": processor.image_token_id,
        },
        dit_config=dict(gemma),
        chunk_size=10,
    )
    torch.manual_seed(0)
    model = PI0ForConditionalGeneration(config).eval()
    model.save_pretrained(folder)
    return model, processor


def observation(seed=0, instruction=INSTRUCTION, dof=6, size=(128, 128)):
    rng = np.random.default_rng(seed)
    images = {camera: CameraImage(camera, 0.0, rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for camera in CAMERAS}
    return Observation(0.0, instruction, rng.uniform(-1.0, 1.0, dof), 0.03, images)
