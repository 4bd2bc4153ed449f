"""What a sandbox could leave behind on this machine."""

import glob
import json
import pathlib
import sys

FIRST_UID = 200000
MARKER_FOLDERS = "/ /tmp /var/tmp /dev/shm /etc /usr /run /home /root /srv /opt"


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines() if line]


def lacks_fences(errors):
    """Whether `cohort exec` refused because this machine lacks a fence. A fence
    that is there and does not hold is no such reason."""
    return "the sandbox is weak" in errors and "self-test" not in errors


def skip_if_weak(errors):
    if lacks_fences(errors):
        print(errors, file=sys.stderr)
        sys.exit(77)


def survivors():
    """Processes that run under a slot's uid."""
    found = []
    for status in glob.glob("/proc/[0-9]*/status"):
        try:
            text = pathlib.Path(status).read_text()
        except OSError:
            continue
        uid = int(text.split("Uid:")[1].split()[0])
        if FIRST_UID <= uid < FIRST_UID + 10000:
            found.append(text.splitlines()[0])
    return found


def leftovers():
    found = []
    for folder in MARKER_FOLDERS.split():
        found += glob.glob(f"{folder}/rs_marker_*") + glob.glob(
            f"{folder}/*/rs_marker_*")
    return found


def cgroups():
    return set(glob.glob("/sys/fs/cgroup/**/cohort-*", recursive=True))
