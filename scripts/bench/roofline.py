"""Arithmetic and bytes of a step, from a config, and the time that a machine's
limits (machine_limits.cc) leave for it."""


def layer_weights(c):
    """Weights of all layers that every token meets, and of one routed expert;
    arithmetic per token of context (multiply-adds), and floats cached."""
    d, layers = c["hidden_size"], c["num_hidden_layers"]
    heads = c["num_attention_heads"]
    if "kv_lora_rank" not in c:
        head, kv = c["head_dim"], c["num_key_value_heads"]
        attention = d * head * (2 * heads + 2 * kv)
        fixed = layers * (attention + 3 * d * c["intermediate_size"])
        return fixed, 0, 0, 2 * layers * heads * head, 2 * layers * kv * head
    rank, rope = c["kv_lora_rank"], c["qk_rope_head_dim"]
    nope, value, low = c["qk_nope_head_dim"], c["v_head_dim"], c["q_lora_rank"]
    attention = (d * (low + rank + rope) + low * heads * (nope + rope)
                 + rank * heads * (nope + value) + heads * value * d)
    dense, expert = c["first_k_dense_replace"], 3 * d * c["moe_intermediate_size"]
    sparse = layers - dense
    fixed = (layers * attention + dense * 3 * d * c["intermediate_size"]
             + sparse * (c["n_shared_experts"] * expert
                         + d * c["n_routed_experts"]))
    return (fixed, expert, sparse, layers * heads * (2 * rank + rope),
            layers * (rank + rope))


def decode_limit(c, sequences, context, limits):
    """Tokens per second at which memory or arithmetic, whichever is slower,
    is used to the full. Every expert that is chosen is read once a step."""
    fixed, expert, sparse, per_context, cached = layer_weights(c)
    head = c["vocab_size"] * c["hidden_size"]
    chosen = c.get("num_experts_per_tok", 0)
    experts = c.get("n_routed_experts", 0)
    touched = experts * (1 - (1 - chosen / experts) ** sequences) if experts else 0
    read = 4 * (fixed + head + sparse * touched * expert
                + sequences * context * cached)
    flops = 2 * sequences * (fixed + head + sparse * chosen * expert
                             + context * per_context)
    return sequences / max(read / limits["gbytes_per_s"] / 1e9,
                           flops / limits["gflops"] / 1e9)


def prefill_limit(c, prompt, limits):
    """Tokens per second by arithmetic alone: full heads, logits of the last
    token only."""
    fixed, expert, sparse, _, _ = layer_weights(c)
    heads, layers = c["num_attention_heads"], c["num_hidden_layers"]
    width = (c["qk_nope_head_dim"] + c["qk_rope_head_dim"] + c["v_head_dim"]
             if "kv_lora_rank" in c else 2 * c["head_dim"])
    flops = 2 * (fixed + sparse * c.get("num_experts_per_tok", 0) * expert
                 + prompt / 2 * layers * heads * width
                 + c["vocab_size"] * c["hidden_size"] / prompt)
    return limits["gflops"] * 1e9 / flops
