"""A run of every family: a random model, supervised training, then RL."""

import json
import shutil
import unittest

from harness import ROOT, Case

SHARED = {
    "vocab_size": 34, "hidden_size": 64, "intermediate_size": 128,
    "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_act": "silu",
    "rms_norm_eps": 1e-6, "rope_theta": 100.0, "max_position_embeddings": 128,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}
LATENT = {
    "q_lora_rank": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 16, "v_head_dim": 16, "n_routed_experts": 4,
    "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 32,
    "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
    "routed_scaling_factor": 1.0,
}
FAMILIES = {
    "deepseek_v2": {**LATENT, "scoring_func": "softmax"},
    "deepseek_v32": {**LATENT, "index_n_heads": 2, "index_head_dim": 16,
                     "index_topk": 10},
    "llama": {"num_key_value_heads": 2},
    "qwen2": {"num_key_value_heads": 1, "tie_word_embeddings": True},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 24},
}


class TrainFamiliesTest(Case):
    def train_family(self, family):
        model = self.folder / family
        model.mkdir()
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(ROOT / "configs/chain_base" / name, model)
        (model / "config.json").write_text(json.dumps(
            {"model_type": family, **SHARED, **FAMILIES[family]}))
        run = f"run_{family}"
        self.train(
            run, "--set", f"model.checkpoint={family}",
            "--set", "stages.0.steps=120", "--set", "stages.1.steps=3",
            "--set", "stages.1.learner.prompts_per_step=4",
            "--set", "learner.eval_limit=8", config="configs/chain.yaml")
        return run

    def test_every_family_trains_and_samples(self):
        for family in FAMILIES:
            with self.subTest(family=family):
                run = self.train_family(family)
                rows = self.metrics(run)
                supervised = [row["loss/total"] for row in rows
                              if row["stage"] == "sft"]
                self.assertLess(sum(supervised[-5:]), 0.7 * sum(supervised[:5]))
                reinforced = [row for row in rows if row["stage"] == "rl"]
                self.assertEqual(len(reinforced), 3)
                for row in reinforced:
                    self.assertGreater(row["loss/grad_norm"], 0)
                    self.assertLess(row["mismatch/max_abs_logprob_diff"], 5e-5)
                saved = self.folder / run / "checkpoints/latest/config.json"
                self.assertEqual(
                    json.loads(saved.read_text())["model_type"], family)


if __name__ == "__main__":
    unittest.main()
