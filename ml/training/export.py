"""Write a trained model as a folder that transformers loads without any code of ours.

`python -m ml.training.export --run FOLDER --out MODEL_FOLDER` exports the latest checkpoint of a run.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from ml.training.config import ModelShape
from ml.training.loop import build_model
from ml.training.tokenizer import BOS, END, PAD, load_tokenizer, save_tokenizer, token_id


def export_model(model: LlamaForCausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Write config, bf16 safetensors, generation defaults, tokenizer and chat template into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = LlamaForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16)
    copy.config.dtype = torch.bfloat16
    copy.save_pretrained(folder)
    generation = {
        "do_sample": True,
        "temperature": 0.8,
        "top_p": 0.95,
        "top_k": 0,
        "max_new_tokens": 256,
        "bos_token_id": token_id(tokenizer, BOS),
        "eos_token_id": token_id(tokenizer, END),
        "pad_token_id": token_id(tokenizer, PAD),
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", encoding="utf-8")
    save_tokenizer(tokenizer, folder, model.config.max_position_embeddings)


def main(arguments: Sequence[str] | None = None) -> None:
    """Export the checkpoint of the latest fine-tuning cycle, finished or not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="work folder of ml.training.house")
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    options = parser.parse_args(arguments)
    model = build_model(ModelShape(), seed=0)
    cycles = [options.run / name for name in ("refine.pt", "finetune.pt")]
    state = torch.load(next(path for path in cycles if path.exists()), map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    export_model(model, load_tokenizer(options.run / "tokenizer"), options.out)
    print(f"exported step {state['step']}")


if __name__ == "__main__":
    main()
