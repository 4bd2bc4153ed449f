"""Writes a sharded checkpoint in DeepSeek-V3's shape, 2 GB (float8: 1 GB) of random
weights, through the safetensors library.

    make_big.py FOLDER [--dtype bfloat16|float32|float8]

float8: block-wise FP8 with scales, as DeepSeek publishes its weights.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

SHARD_BYTES = 400_000_000
BLOCK = 128
CONFIG = dict(
    architectures=["DeepseekV3ForCausalLM"], model_type="deepseek_v3",
    vocab_size=32000, hidden_size=2048, intermediate_size=8192,
    moe_intermediate_size=1408, num_attention_heads=16, num_key_value_heads=16,
    n_shared_experts=1, n_routed_experts=16, routed_scaling_factor=2.5,
    kv_lora_rank=512, q_lora_rank=None, qk_rope_head_dim=64, v_head_dim=128,
    qk_nope_head_dim=128, n_group=1, topk_group=1, num_experts_per_tok=4,
    first_k_dense_replace=1, moe_layer_freq=1, norm_topk_prob=True,
    hidden_act="silu", max_position_embeddings=1024, rms_norm_eps=1e-6,
    rope_theta=10000.0, attention_bias=False, tie_word_embeddings=False,
)
BYTES = {"float32": 4, "bfloat16": 2, "float8": 1}


def layer_shapes(layer):
    c = CONFIG
    heads, d = c["num_attention_heads"], c["hidden_size"]
    nope, rope, value = (c["qk_nope_head_dim"], c["qk_rope_head_dim"],
                         c["v_head_dim"])
    rank = c["kv_lora_rank"]
    attention = {
        "q_proj": (heads * (nope + rope), d),
        "kv_a_proj_with_mqa": (rank + rope, d),
        "kv_b_proj": (heads * (nope + value), rank),
        "o_proj": (d, heads * value),
    }
    shapes = {f"self_attn.{k}.weight": v for k, v in attention.items()}
    shapes["self_attn.kv_a_layernorm.weight"] = (rank,)
    shapes["input_layernorm.weight"] = (d,)
    shapes["post_attention_layernorm.weight"] = (d,)

    def mlp(prefix, width):
        for name in ("gate_proj", "up_proj"):
            shapes[f"{prefix}{name}.weight"] = (width, d)
        shapes[f"{prefix}down_proj.weight"] = (d, width)

    if layer < c["first_k_dense_replace"]:
        mlp("mlp.", c["intermediate_size"])
        return shapes
    width = c["moe_intermediate_size"]
    shapes["mlp.gate.weight"] = (c["n_routed_experts"], d)
    shapes["mlp.gate.e_score_correction_bias"] = (c["n_routed_experts"],)
    for expert in range(c["n_routed_experts"]):
        mlp(f"mlp.experts.{expert}.", width)
    mlp("mlp.shared_experts.", width * c["n_shared_experts"])
    return shapes


def all_shapes(layers):
    c = CONFIG
    yield "model.embed_tokens.weight", (c["vocab_size"], c["hidden_size"])
    yield "lm_head.weight", (c["vocab_size"], c["hidden_size"])
    yield "model.norm.weight", (c["hidden_size"],)
    for layer in range(layers):
        for name, shape in layer_shapes(layer).items():
            yield f"model.layers.{layer}.{name}", shape


def is_quantised(name):
    return "_proj" in name and name.endswith(".weight")


def make(name, shape, dtype, generator):
    """The tensors to store for one weight."""
    if len(shape) == 1:
        values = torch.zeros if name.endswith("bias") else torch.ones
        kept = dtype == "float32" or name.endswith("bias")
        yield name, values(shape, dtype=torch.float32 if kept
                           else torch.bfloat16)
        return
    weight = torch.randn(shape, generator=generator) * 0.02
    if dtype == "float32":
        yield name, weight
    elif dtype == "bfloat16" or not is_quantised(name):
        yield name, weight.bfloat16()
    else:
        grid = [-(-size // BLOCK) for size in shape]
        scale = 0.1 / 448
        yield name, (weight / scale).clamp(-448, 448).to(torch.float8_e4m3fn)
        yield name + "_scale_inv", torch.full(grid, scale)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--dtype", choices=list(BYTES), default="bfloat16")
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    layers = {"float32": 4, "bfloat16": 7, "float8": 6}[args.dtype]
    generator = torch.Generator().manual_seed(1)
    shards, held, size, total = [[]], {}, 0, 0

    def flush():
        nonlocal held, size
        name = f"model-{len(shards):05d}.safetensors"
        save_file(held, args.folder / name, metadata={"format": "pt"})
        shards[-1] = (name, list(held))
        shards.append([])
        held, size = {}, 0

    for name, shape in all_shapes(layers):
        for stored, tensor in make(name, shape, args.dtype, generator):
            if held and size + tensor.nbytes > SHARD_BYTES:
                flush()
            held[stored] = tensor
            size += tensor.nbytes
            total += tensor.nbytes
    flush()
    index = {"metadata": {"total_size": total},
             "weight_map": {name: shard for shard, names in shards[:-1]
                            for name in names}}
    (args.folder / "model.safetensors.index.json").write_text(
        json.dumps(index))
    config = dict(CONFIG, num_hidden_layers=layers, torch_dtype=args.dtype)
    if args.dtype == "float8":
        config["torch_dtype"] = "bfloat16"
        config["quantization_config"] = dict(
            quant_method="fp8", fmt="e4m3", activation_scheme="dynamic",
            weight_block_size=[BLOCK, BLOCK])
    (args.folder / "config.json").write_text(json.dumps(config))


main()
