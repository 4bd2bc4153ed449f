"""The demo model's folder: config.json and a tokenizer with one token per
character, in Hugging Face's formats. Needs Python 3 alone."""

import json
import os

# '[' and ']' stand for <think> and </think>, '{' and '}' for <answer> and
# </answer>: one token each, as a real vocabulary has them.
CHARACTERS = "_^$[]{}0123456789+-*=();,:?!CENyn."
PAD, BEGIN, END = "_", "^", "$"

# 687,776 parameters in DeepSeek-V3's shape.
CONFIG = {
    "architectures": ["DeepseekV3ForCausalLM"],
    "model_type": "deepseek_v3",
    "vocab_size": len(CHARACTERS),
    "hidden_size": 128,
    "intermediate_size": 256,
    "moe_intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "q_lora_rank": 64,
    "kv_lora_rank": 32,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
    "n_group": 1,
    "topk_group": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.0,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "hidden_act": "silu",
    "attention_bias": False,
    "rms_norm_eps": 1e-06,
    "rope_theta": 100.0,
    "rope_scaling": None,
    "rope_interleave": True,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
    "initializer_range": 0.02,
    "num_nextn_predict_layers": 0,
    "pad_token_id": CHARACTERS.index(PAD),
    "bos_token_id": CHARACTERS.index(BEGIN),
    "eos_token_id": CHARACTERS.index(END),
    "torch_dtype": "float32",
}


def tokenizer():
    """A BPE without merges: every character is its own token."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": CHARACTERS.index(token),
                "content": token,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for token in (PAD, BEGIN, END)
        ],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {c: i for i, c in enumerate(CHARACTERS)},
            "merges": [],
        },
    }


TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "pad_token": PAD,
    "bos_token": BEGIN,
    "eos_token": END,
    "model_max_length": CONFIG["max_position_embeddings"],
    "clean_up_tokenization_spaces": False,
}


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def write_rows(path, rows):
    """Writes JSONL whole or not at all."""
    with open(path + ".tmp", "w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, separators=(", ", ": ")) + "\n")
    os.replace(path + ".tmp", path)


def write_model(folder):
    os.makedirs(folder, exist_ok=True)
    write_json(os.path.join(folder, "config.json"), CONFIG)
    write_json(os.path.join(folder, "tokenizer.json"), tokenizer())
    write_json(os.path.join(folder, "tokenizer_config.json"), TOKENIZER_CONFIG)
