#include "sandbox/self_test.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cohort {
namespace {

// Every line it prints is a hole; the last says that it came to its end.
constexpr char kProbe[] = R"sh(
for path in /root /home /srv /var /sys /run /etc/shadow /dev/kmsg /dev/mem; do
  [ -e $path ] && echo "$path is there"
done
for folder in / /usr /usr/bin /etc /dev /proc /.cohort /.cohort/shared; do
  (: > $folder/probe) 2>/dev/null && echo "$folder can be written"
done
unshare -r true 2>/dev/null && echo "user namespaces can be made"
mount -t tmpfs none /tmp 2>/dev/null && echo "file systems can be mounted"
kill -0 1 2>/dev/null && echo "init can be signalled"
while read key value rest; do
  case $key in
    Uid:) [ $value = 0 ] && echo "it is root" ;;
    CapEff: | CapPrm: | CapBnd:)
      [ $value = 0000000000000000 ] || echo "it has capabilities: $key $value" ;;
    NoNewPrivs:) [ $value = 1 ] || echo "no_new_privs is off" ;;
    Seccomp:) [ $value = 2 ] || echo "no system call filter" ;;
  esac
done < /proc/self/status
processes=0
for path in /proc/[0-9]*; do processes=$((processes + 1)); done
[ $processes -le 3 ] || echo "$processes processes are in sight"
echo end
)sh";

}  // namespace

std::string SelfTestFlaw(Sandbox* sandbox) {
  Program probe;
  probe.language = &sandbox->languages().languages.front();
  probe.argv = {"/bin/sh", "-c", kProbe};
  const Outcome outcome = sandbox->RunProgram(probe, Limits());
  if (outcome.verdict != RunVerdict::kAC) {
    return absl::StrCat("the probe ended with ", VerdictCode(outcome.verdict),
                        ": ", outcome.reason);
  }
  if (outcome.out == "end\n") return "";
  return std::string(
      std::vector<absl::string_view>(absl::StrSplit(outcome.out, '\n'))[0]);
}

}  // namespace cohort
