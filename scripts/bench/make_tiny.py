"""Writes the benchmark's checkpoint: `tiny`, 1.88 M parameters in DeepSeek-V3's
shape, or with --odd a shape whose sizes are no powers of two. --skew biases the
router so that a few experts take most tokens.

    make_tiny.py FOLDER [--odd] [--skew]

The folder has no end token, so that every completion has the full length, and a
tokenizer with one token per character.
"""

import argparse
import json
import pathlib

TINY = dict(
    vocab_size=64, hidden_size=128, intermediate_size=1024,
    moe_intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=4, n_shared_experts=1, n_routed_experts=8,
    routed_scaling_factor=2.5, kv_lora_rank=32, q_lora_rank=64,
    qk_rope_head_dim=16, v_head_dim=16, qk_nope_head_dim=16, n_group=2,
    topk_group=1, num_experts_per_tok=2, first_k_dense_replace=1,
    norm_topk_prob=True, hidden_act="silu", max_position_embeddings=2048,
    initializer_range=0.02, rms_norm_eps=1e-6, rope_theta=10000.0,
    attention_bias=False, tie_word_embeddings=False,
)
ODD = dict(
    TINY, hidden_size=112, intermediate_size=872, moe_intermediate_size=104,
    kv_lora_rank=36, q_lora_rank=60, qk_rope_head_dim=12, v_head_dim=20,
    qk_nope_head_dim=20, num_attention_heads=5, num_key_value_heads=5,
)
# One digit: a random completion ends in the number 1 about every second time, so
# that nearly every group has right and wrong members and is trained on.
CHARACTERS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-*/=().,:;1"
)


def write_tokenizer(folder):
    vocab = {c: i for i, c in enumerate(CHARACTERS)}
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
        "post_processor": None, "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "dropout": None, "unk_token": None,
                  "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False,
                  "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocab, "merges": []},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--skew", action="store_true")
    args = parser.parse_args()

    import torch
    import transformers

    config = transformers.DeepseekV3Config(**(ODD if args.odd else TINY))
    config.eos_token_id = config.bos_token_id = config.pad_token_id = None
    model = transformers.AutoModelForCausalLM.from_config(config)
    generator = torch.Generator().manual_seed(1234)
    with torch.no_grad():
        for _, parameter in sorted(model.named_parameters()):
            if parameter.dim() >= 2:
                parameter.normal_(0, 0.02, generator=generator)
        if args.skew:
            for name, buffer in model.named_buffers():
                if name.endswith("e_score_correction_bias"):
                    buffer[0:2] += 1.0
    model.generation_config = transformers.GenerationConfig()
    model.save_pretrained(args.folder)
    write_tokenizer(args.folder)


main()
