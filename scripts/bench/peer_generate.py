"""transformers' generate: tokens per CPU-second of decoding and of prefill. One
JSON line.

    peer_generate.py FOLDER [--prompts 8] [--group 8] [--prompt-tokens 32]
                     [--new-tokens 64] [--repeats 3]

Decoding alone: the time for all new tokens less that for the first one, which
is the prefill's.
"""

import argparse
import json

from timing import THREADS, Stopwatch, spread


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()

    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_pretrained(
        args.folder, dtype=torch.float32).eval()
    ids = torch.randint(3, model.config.vocab_size,
                        (args.prompts, args.prompt_tokens))
    ids = ids.repeat_interleave(args.group, 0)

    def generate(count):
        with Stopwatch() as watch, torch.no_grad():
            model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=True,
                temperature=1.0, top_k=0, top_p=1.0, max_new_tokens=count,
                min_new_tokens=count, pad_token_id=2, eos_token_id=None)
        return watch.cpu

    generate(4)
    decode, prefill = [], []
    for _ in range(args.repeats):
        first, whole = generate(1), generate(args.new_tokens)
        decode.append(ids.shape[0] * (args.new_tokens - 1) / (whole - first))
        prefill.append(ids.numel() / first)
    print(json.dumps({"decode_tokens_per_cpu_s": spread(decode),
                      "prefill_tokens_per_cpu_s": spread(prefill)}))


main()
