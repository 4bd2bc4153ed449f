"""Writes a checkpoint of make_model.py as llama.cpp's GGUF, float32.

    make_gguf.py FOLDER FILE.gguf [--whole-kv]

The vocabulary is a table of names: the benchmarks feed token numbers. With
--whole-kv the latent's projection stays in one piece, as ik_llama.cpp wants it.
"""

import argparse
import json
import pathlib

import gguf
import numpy
from safetensors import safe_open

BYTES = [chr(b) for b in range(33, 127)]
NAMES = {  # Ours -> theirs, inside a layer.
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_a_proj": "attn_q_a", "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.q_b_proj": "attn_q_b", "self_attn.o_proj": "attn_output",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "mlp.gate": "ffn_gate_inp",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp",
}


def write_common(writer, config):
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    rope = config.get("rope_parameters") or config
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def write_vocabulary(writer, size):
    # One merge at least, or the reader refuses the table.
    tokens = ["<s>", "</s>", "<pad>"] + BYTES + ["ab"]
    tokens = (tokens + [f"t{i}" for i in range(len(tokens), size)])[:size]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3
                           + [gguf.TokenType.NORMAL] * (size - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)


def write_latent(writer, c, whole_kv):
    heads = c["num_attention_heads"]
    head = c["qk_nope_head_dim"] + c["qk_rope_head_dim"]
    writer.add_head_count_kv(heads if whole_kv else 1)
    writer.add_q_lora_rank(c["q_lora_rank"])
    writer.add_kv_lora_rank(c["kv_lora_rank"])
    if whole_kv:
        writer.add_key_length(head)
        writer.add_value_length(c["v_head_dim"])
    else:
        writer.add_key_length(c["kv_lora_rank"] + c["qk_rope_head_dim"])
        writer.add_value_length(c["kv_lora_rank"])
        writer.add_key_length_mla(head)
        writer.add_value_length_mla(c["v_head_dim"])
    writer.add_rope_dimension_count(c["qk_rope_head_dim"])
    writer.add_leading_dense_block_count(c["first_k_dense_replace"])
    writer.add_expert_count(c["n_routed_experts"])
    writer.add_expert_used_count(c["num_experts_per_tok"])
    writer.add_expert_shared_count(c["n_shared_experts"])
    writer.add_expert_feed_forward_length(c["moe_intermediate_size"])
    writer.add_expert_weights_scale(c["routed_scaling_factor"])
    writer.add_expert_weights_norm(c["norm_topk_prob"])
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_expert_group_count(c["n_group"])
    writer.add_expert_group_used_count(c["topk_group"])


def add_kv_b(writer, c, tensor, block, whole_kv):
    if whole_kv:
        writer.add_tensor(f"{block}.attn_kv_b.weight", tensor)
        return
    by_head = tensor.reshape(c["num_attention_heads"], -1, c["kv_lora_rank"])
    nope = c["qk_nope_head_dim"]
    writer.add_tensor(f"{block}.attn_k_b.weight", numpy.ascontiguousarray(
        by_head[:, :nope].transpose(0, 2, 1)))
    writer.add_tensor(f"{block}.attn_v_b.weight",
                      numpy.ascontiguousarray(by_head[:, nope:]))


def write_layer(writer, c, names, get, layer, whole_kv):
    prefix, block = f"model.layers.{layer}.", f"blk.{layer}"
    for name in sorted(n for n in names if n.startswith(prefix)):
        inner, kind = name[len(prefix):].rsplit(".", 1)
        if inner == "self_attn.kv_b_proj":
            add_kv_b(writer, c, get(name), block, whole_kv)
        elif kind == "e_score_correction_bias":
            writer.add_tensor(f"{block}.exp_probs_b.bias", get(name))
        elif ".experts." not in name:
            writer.add_tensor(f"{block}.{NAMES[inner]}.weight", get(name))
    if prefix + "mlp.experts.0.up_proj.weight" in names:
        for part in ("gate", "up", "down"):
            writer.add_tensor(f"{block}.ffn_{part}_exps.weight", numpy.stack(
                [get(f"{prefix}mlp.experts.{e}.{part}_proj.weight")
                 for e in range(c["n_routed_experts"])]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--whole-kv", action="store_true")
    args = parser.parse_args()
    config = json.loads((args.folder / "config.json").read_text())
    latent = "kv_lora_rank" in config
    writer = gguf.GGUFWriter(args.file, "deepseek2" if latent else "qwen3")
    write_common(writer, config)
    write_vocabulary(writer, config["vocab_size"])
    if latent:
        write_latent(writer, config, args.whole_kv)
    else:
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
    with safe_open(args.folder / "model.safetensors", "numpy") as file:
        names, get = set(file.keys()), file.get_tensor
        writer.add_tensor("token_embd.weight", get("model.embed_tokens.weight"))
        writer.add_tensor("output_norm.weight", get("model.norm.weight"))
        if "lm_head.weight" in names:
            writer.add_tensor("output.weight", get("lm_head.weight"))
        for layer in range(config["num_hidden_layers"]):
            write_layer(writer, config, names, get, layer, args.whole_kv)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    writer.close()


main()
