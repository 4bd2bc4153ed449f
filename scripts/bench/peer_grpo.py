"""TRL's GRPOTrainer on the same model and the same amount of work: CPU seconds
of a full step, start to first optimizer step, memory. One JSON line.

    peer_grpo.py FOLDER [--steps 4] [--prompts 8] [--group 8]
                 [--prompt-tokens 32] [--new-tokens 64]
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time

from timing import THREADS, pss_mb


def process_start():
    ticks = float(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19])
    boot = time.time() - float(open("/proc/uptime").read().split()[0])
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=64)
    args = parser.parse_args()

    import torch
    import transformers
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(THREADS)
    transformers.logging.set_verbosity_error()
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.folder, dtype=torch.float32)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=os.path.join(args.folder, "tokenizer.json"),
        bos_token="x", eos_token="y", pad_token="z", padding_side="left")
    draw = random.Random(0)
    characters = "abcdefgh+-*/="
    prompts = Dataset.from_list([
        {"prompt": "".join(draw.choice(characters)
                           for _ in range(args.prompt_tokens))}
        for _ in range(256)
    ])

    def reward(completions, **_):
        return [float("1" in text)
                for text in completions]

    marks = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, *_, **__):
            marks.append((time.time(), time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model, reward_funcs=reward, train_dataset=prompts,
            processing_class=tokenizer, callbacks=[Clock()],
            args=GRPOConfig(
                output_dir=folder, num_generations=args.group,
                per_device_train_batch_size=args.prompts * args.group,
                max_completion_length=args.new_tokens, temperature=1.0,
                learning_rate=1e-5, beta=0.0, max_steps=args.steps + 1,
                logging_steps=1, save_strategy="no", report_to=[],
                use_cpu=True, bf16=False, gradient_checkpointing=False,
                disable_tqdm=True, seed=0, shuffle_dataset=False,
                generation_kwargs={"min_new_tokens": args.new_tokens,
                                   "top_k": 0, "eos_token_id": None}))
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
    steps = [b[1] - a[1] for a, b in zip(marks, marks[1:])]
    print(json.dumps({
        "step_cpu_s": statistics.median(steps) if steps else None,
        "first_step_wall_s": marks[0][0] - process_start(),
        "first_step_cpu_s": marks[0][1],
        "pss_mb": pss_mb([os.getpid()]),
    }))


main()
