#!/usr/bin/env python3
"""A reward of your own: a server that speaks proto/rewards.proto.

    pip install grpcio protobuf
    scripts/external_verifier.py [HOST:PORT]

Change reward(), start it, and name its address in the config:

    rewards: {external: 127.0.0.1:50061}
    learner: {prompts: {file: mine.jsonl, verifier: external}}

Calls come in parallel, may come twice, and have a deadline. A server that cannot
be reached is tried again until then. What reward() raises is an `infra_error`:
those completions leave their group, they are not graded 0. `protoc` reads
../proto/rewards.proto."""

import json
import pathlib
import subprocess
import sys
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def reward(prompt, row, completion):
    """In [0, 1]. `row` is the prompt's line of JSON. This one pays for brevity:
    1 for the right answer within row["budget"] characters."""
    budget = row.get("budget", 200)
    right = completion.strip().endswith(prompt.answer)
    return 1.0 if right and len(completion) <= budget else 0.0


def grade(request, context):
    row = json.loads(request.prompt.row_json or "{}")
    response = GradeResponse()
    for completion in request.completions:
        score = reward(request.prompt, row, completion.decode(errors="replace"))
        # Verdicts as in proto/types.proto: 1 correct, 2 wrong.
        response.grades.add(score=score, verdict=1 if score > 0 else 2)
    return response


def message_class(name):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


ROOT = pathlib.Path(__file__).resolve().parents[1]
POOL = descriptor_pool.DescriptorPool()
for file in descriptor_pb2.FileDescriptorSet.FromString(subprocess.run(
        ["protoc", f"-I{ROOT}", "--include_imports",
         "--descriptor_set_out=/dev/stdout", "proto/rewards.proto"],
        check=True, capture_output=True).stdout).file:
    POOL.Add(file)
GradeRequest = message_class("cohort.GradeRequest")
GradeResponse = message_class("cohort.GradeResponse")


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "cohort.Rewards", {"Grade": grpc.unary_unary_rpc_method_handler(
            grade, request_deserializer=GradeRequest.FromString,
            response_serializer=GradeResponse.SerializeToString)})])
    host, _, port = (sys.argv[1:] or ["127.0.0.1:0"])[0].rpartition(":")
    port = server.add_insecure_port(f"{host}:{port}")
    server.start()
    print(f"listening on {host}:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
