"""Writes a benchmark's checkpoint, random weights of one seed, float32.

    make_model.py FOLDER --shape tiny|odd|small|small-odd|dense-small [--skew]

tiny (1.9 M parameters) and small (87 M, 33 M of them active) have DeepSeek-V3's
shape, dense-small (107 M) Qwen3's; the odd ones have sizes that are no powers of
two. --skew biases the router so that a few experts take most tokens. No folder
has an end token, so that every completion has the full length; the two smallest
have a tokenizer with one token per character.
"""

import argparse
import json
import pathlib

COMMON = dict(
    hidden_act="silu", initializer_range=0.02, rms_norm_eps=1e-6,
    attention_bias=False,
)
LATENT = dict(
    COMMON, n_shared_experts=1, routed_scaling_factor=2.5,
    first_k_dense_replace=1, norm_topk_prob=True, rope_theta=10000.0,
    tie_word_embeddings=False,
)
TINY = dict(
    LATENT, vocab_size=64, hidden_size=128, intermediate_size=1024,
    moe_intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
    num_key_value_heads=4, n_routed_experts=8, kv_lora_rank=32, q_lora_rank=64,
    qk_rope_head_dim=16, v_head_dim=16, qk_nope_head_dim=16, n_group=2,
    topk_group=1, num_experts_per_tok=2, max_position_embeddings=2048,
)
SMALL = dict(
    LATENT, vocab_size=32000, hidden_size=512, intermediate_size=1408,
    moe_intermediate_size=128, num_hidden_layers=8, num_attention_heads=16,
    num_key_value_heads=16, n_routed_experts=32, kv_lora_rank=128,
    q_lora_rank=256, qk_rope_head_dim=32, v_head_dim=32, qk_nope_head_dim=32,
    n_group=4, topk_group=2, num_experts_per_tok=4,
    max_position_embeddings=4096,
)
SHAPES = {
    "tiny": TINY,
    "odd": dict(
        TINY, hidden_size=112, intermediate_size=872, moe_intermediate_size=104,
        kv_lora_rank=36, q_lora_rank=60, qk_rope_head_dim=12, v_head_dim=20,
        qk_nope_head_dim=20, num_attention_heads=5, num_key_value_heads=5),
    "small": SMALL,
    "small-odd": dict(
        SMALL, vocab_size=30011, hidden_size=520, intermediate_size=1352,
        moe_intermediate_size=120, kv_lora_rank=116, q_lora_rank=252,
        qk_rope_head_dim=28, v_head_dim=36, qk_nope_head_dim=36,
        num_attention_heads=13, num_key_value_heads=13),
    "dense-small": dict(
        COMMON, vocab_size=32000, hidden_size=768, intermediate_size=2304,
        num_hidden_layers=12, num_attention_heads=12, num_key_value_heads=4,
        head_dim=64, max_position_embeddings=4096, rope_theta=1000000.0,
        tie_word_embeddings=True, use_sliding_window=False),
}
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
    parser.add_argument("--shape", choices=SHAPES, required=True)
    parser.add_argument("--skew", action="store_true")
    args = parser.parse_args()

    import torch
    import transformers

    shape = SHAPES[args.shape]
    kind = (transformers.DeepseekV3Config if "kv_lora_rank" in shape
            else transformers.Qwen3Config)
    config = kind(**shape)
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
    if shape["vocab_size"] == len(CHARACTERS):
        write_tokenizer(args.folder)


main()
