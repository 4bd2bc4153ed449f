#include "learner/experience_store.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/learner/sample_groups.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Ids = std::vector<std::string>;

class ExperienceStoreTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }

  void Reopen() {
    store_.reset();
    auto store = ExperienceStore::Open(path_);
    COHORT_ASSERT_OK(store);
    store_ = *std::move(store);
  }

  void Store(const std::string& prompt_id, int64_t version = 0) {
    ASSERT_THAT(store_->Append(MakeGroup(MakeLease(prompt_id), version)),
                IsOkAndHolds(true));
  }

  // "<id>:<state>" of every row, as another program reads it.
  std::vector<std::string> States() {
    std::vector<std::string> states;
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    const auto add = [](void* out, int, char** values, char**) {
      static_cast<std::vector<std::string>*>(out)->push_back(
          absl::StrCat(values[0], ":", values[1]));
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db,
                           "SELECT group_id, state FROM groups_view"
                           " ORDER BY group_id",
                           add, &states, nullptr),
              SQLITE_OK);
    sqlite3_close(db);
    return states;
  }

  TempDir dir_;
  std::string path_ = dir_ / "experience.sqlite";
  std::unique_ptr<ExperienceStore> store_;
};

TEST_F(ExperienceStoreTest, WhatWasStoredComesBackWhole) {
  const Group group = MakeGroup(MakeLease("a"), 3);
  ASSERT_THAT(store_->Append(group), IsOkAndHolds(true));
  Reopen();
  const auto loaded = store_->Load(Ids{"rl/a/0"});
  COHORT_ASSERT_OK(loaded);
  EXPECT_EQ(loaded->front().SerializeAsString(), group.SerializeAsString());
}

TEST_F(ExperienceStoreTest, ResentGroupIsStoredOnce) {
  Store("a");
  Group other = MakeGroup(MakeLease("a"));
  other.set_worker("late");
  EXPECT_THAT(store_->Append(other), IsOkAndHolds(false));
  const auto loaded = store_->Load(Ids{"rl/a/0"});
  COHORT_ASSERT_OK(loaded);
  EXPECT_EQ(loaded->front().worker(), "");
  EXPECT_THAT(States(), ElementsAre("rl/a/0:stored"));
}

TEST_F(ExperienceStoreTest, AGroupGoesFromLeasedToStoredToTrained) {
  const std::vector<Lease> leases = {MakeLease("a"), MakeLease("b")};
  COHORT_ASSERT_OK(store_->MarkLeased(leases));
  EXPECT_THAT(States(), ElementsAre("rl/a/0:leased", "rl/b/0:leased"));
  EXPECT_THAT(store_->Contains("rl/a/0"), IsOkAndHolds(false));
  Store("a");
  Store("b");
  EXPECT_THAT(store_->Contains("rl/a/0"), IsOkAndHolds(true));
  COHORT_ASSERT_OK(store_->MarkLeased(leases));  // Changes nothing now.
  EXPECT_THAT(store_->FindStored(Ids{"rl/c/0", "rl/b/0", "rl/a/0"}),
              IsOkAndHolds(ElementsAre("rl/b/0", "rl/a/0")));
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/a/0"}, 7));
  COHORT_ASSERT_OK(store_->MarkDropped(Ids{"rl/b/0"}, 7));
  EXPECT_THAT(States(), ElementsAre("rl/a/0:trained", "rl/b/0:dropped"));
  const auto rows = store_->List({.step = 7, .state = "trained", .stage = ""});
  COHORT_ASSERT_OK(rows);
  ASSERT_THAT(*rows, SizeIs(1));
  EXPECT_EQ(rows->front().trained_at_step, 7);
  EXPECT_EQ(rows->front().prompt_id, "a");
}

TEST_F(ExperienceStoreTest, NoGroupIsTrainedTwice) {
  Store("a");
  Store("b");
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/a/0"}, 1));
  EXPECT_THAT(store_->MarkTrained(Ids{"rl/b/0", "rl/a/0"}, 2),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("rl/a/0"), HasSubstr("step 2"))));
  // All or none: b was not marked either.
  EXPECT_THAT(States(), ElementsAre("rl/a/0:trained", "rl/b/0:stored"));
}

// The database itself refuses, whoever writes to it.
TEST_F(ExperienceStoreTest, TheDatabaseRefusesASecondTraining) {
  Store("a");
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/a/0"}, 1));
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db,
                         "UPDATE groups SET state = 'trained',"
                         " closed_at_step = 2",
                         nullptr, nullptr, nullptr),
            SQLITE_CONSTRAINT);
  sqlite3_close(db);
}

TEST_F(ExperienceStoreTest, EvaluationsAreNeverTrainedOn) {
  Lease lease = MakeLease("a");
  lease.set_eval(true);
  ASSERT_THAT(store_->Append(MakeGroup(lease)), IsOkAndHolds(true));
  EXPECT_THAT(
      store_->MarkTrained(Ids{"rl/a/0"}, 1),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rl/a/0")));
}

// Checkpoint after step 2 with policy 2; the crash came in step 4.
TEST_F(ExperienceStoreTest, RollBackLeavesWhatTheCheckpointKnows) {
  Store("before", 1);
  Store("after", 2);
  Store("lost", 3);
  Store("lost-waiting", 3);
  Store("waiting", 2);
  Store("dropped-after", 2);
  COHORT_ASSERT_OK(store_->MarkLeased(std::vector<Lease>{MakeLease("leased")}));
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/before/0"}, 2));
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/after/0"}, 3));
  COHORT_ASSERT_OK(store_->MarkDropped(Ids{"rl/dropped-after/0"}, 3));
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/lost/0"}, 4));

  const auto counts = store_->RollBack(2, 2);
  COHORT_ASSERT_OK(counts);
  EXPECT_EQ(counts->deleted, 2);
  EXPECT_EQ(counts->stored_again, 2);
  EXPECT_EQ(counts->leases_forgotten, 1);
  EXPECT_THAT(States(),
              ElementsAre("rl/after/0:stored", "rl/before/0:trained",
                          "rl/dropped-after/0:stored", "rl/waiting/0:stored"));
  COHORT_EXPECT_OK(store_->MarkTrained(Ids{"rl/after/0"}, 3));
}

// A completion that outlived an update was sampled by two policies; if the
// second is lost, so is the group.
TEST_F(ExperienceStoreTest, RollBackLooksAtTheNewestPolicyOfAGroup) {
  Group group = MakeGroup(MakeLease("a"), 2);
  VersionSpan& first =
      *group.mutable_trajectories(1)->mutable_versions()->Mutable(0);
  first.set_end(1);
  VersionSpan& second = *group.mutable_trajectories(1)->add_versions();
  second.set_version(3);
  second.set_begin(1);
  second.set_end(3);
  ASSERT_THAT(store_->Append(group), IsOkAndHolds(true));
  EXPECT_EQ(VersionsOf(group).oldest, 2);
  COHORT_ASSERT_OK(store_->RollBack(10, 2));
  EXPECT_THAT(States(), IsEmpty());
}

TEST_F(ExperienceStoreTest, RetentionDropsContentsAndKeepsRows) {
  Store("old");
  Store("new");
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/old/0"}, 1));
  COHORT_ASSERT_OK(store_->MarkTrained(Ids{"rl/new/0"}, 2));
  COHORT_ASSERT_OK(store_->DropContents(1, 0));
  EXPECT_THAT(States(), ElementsAre("rl/new/0:trained", "rl/old/0:trained"));
  COHORT_EXPECT_OK(store_->Load(Ids{"rl/new/0"}));
  EXPECT_THAT(store_->Load(Ids{"rl/old/0"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rl/old/0")));
  // Somebody resends it all the same.
  EXPECT_THAT(store_->Append(MakeGroup(MakeLease("old"))), IsOkAndHolds(false));
}

TEST_F(ExperienceStoreTest, AMissingGroupIsNamed) {
  EXPECT_THAT(store_->Load(Ids{"rl/none/0"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rl/none/0")));
}

TEST_F(ExperienceStoreTest, ReadersMayLookWhileTheLearnerWrites) {
  Store("a");
  const auto reader = ExperienceStore::OpenReadOnly(path_);
  COHORT_ASSERT_OK(reader);
  Store("b");
  EXPECT_THAT((*reader)->List({}), IsOkAndHolds(SizeIs(2)));
  COHORT_EXPECT_OK(store_->Sync());
}

TEST_F(ExperienceStoreTest, AnotherSchemaIsRefused) {
  store_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  sqlite3_exec(db, "PRAGMA user_version = 99", nullptr, nullptr, nullptr);
  sqlite3_close(db);
  EXPECT_THAT(ExperienceStore::Open(path_),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr(path_), HasSubstr("99"))));
}

TEST(ExperienceStoreOpenTest, ErrorsNameThePath) {
  TempDir dir;
  const std::string foreign = dir.Write("foreign", std::string(4096, 'x'));
  EXPECT_THAT(ExperienceStore::Open(foreign),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr(foreign)));
  EXPECT_THAT(
      ExperienceStore::Open(dir / "none/store"),
      StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("none/store")));
  EXPECT_THAT(ExperienceStore::OpenReadOnly(dir / "none"),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("none")));
}

TEST(CheckFreshTest, SaysWhichPoliciesAndWhichLimit) {
  const Group group = MakeGroup(MakeLease("a"), 1);
  COHORT_EXPECT_OK(CheckFresh(group, 2, 1));
  EXPECT_THAT(CheckFresh(group, 3, 1),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("group rl/a/0: sampled by policy 1, newest is "
                                 "3, max_staleness is 1")));
}

TEST_F(ExperienceStoreTest, ManyThreadsStoreEveryGroupOnce) {
  std::vector<std::jthread> threads;
  std::atomic<int> stored = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, &stored] {
      for (int i = 0; i < 50; ++i) {
        const auto is_new =
            store_->Append(MakeGroup(MakeLease(absl::StrCat(i))));
        stored += is_new.ok() && *is_new ? 1 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(stored, 50);
  EXPECT_THAT(States(), SizeIs(50));
}

// A full disk, played by a limit on the size of files in a child.
TEST_F(ExperienceStoreTest, AFullDiskIsAnErrorThatNamesThePath) {
  store_.reset();
  const pid_t child = fork();
  if (child == 0) {
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {.rlim_cur = 200'000, .rlim_max = 200'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    auto store = ExperienceStore::Open(path_);
    if (!store.ok()) _exit(2);
    Group group = MakeGroup(MakeLease("a"));
    group.mutable_prompt()->set_text(std::string(50'000, 'x'));
    for (int i = 0; i < 100; ++i) {
      group.set_id(absl::StrCat("rl/a/", i));
      group.mutable_occurrence()->set_occurrence(i);
      const auto stored = (*store)->Append(group);
      if (stored.ok()) continue;
      const bool names_path =
          stored.status().message().find(path_) != std::string::npos;
      _exit(names_path && i > 0 ? 0 : 3);
    }
    _exit(4);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  // What was acknowledged before is still there.
  Reopen();
  EXPECT_FALSE(States().empty());
}

// A child appends and reports each acknowledgement through a pipe until it is
// killed in the middle. What it reported is there, whole, and nothing twice.
TEST_F(ExperienceStoreTest, NothingAcknowledgedIsLostByKillMinus9) {
  store_.reset();
  int acknowledged = 0;
  for (int life = 0; life < 5; ++life) {
    int pipe_fds[2];
    ASSERT_EQ(pipe(pipe_fds), 0);
    const pid_t child = fork();
    if (child == 0) {
      auto store = ExperienceStore::Open(path_);
      if (!store.ok()) _exit(1);
      for (int i = acknowledged;; ++i) {
        const Lease lease = MakeLease(absl::StrCat(i));
        const auto stored = (*store)->Append(MakeGroup(lease));
        if (!stored.ok()) _exit(1);
        if (i % 3 == 0) {
          if (!(*store)->MarkTrained(Ids{IdOf(lease)}, i).ok() && *stored) {
            _exit(1);
          }
        }
        if (write(pipe_fds[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
      }
    }
    close(pipe_fds[1]);
    int last = -1;
    for (int count = 0; count < 20 + 7 * life; ++count) {
      ASSERT_EQ(read(pipe_fds[0], &last, sizeof(last)),
                static_cast<ssize_t>(sizeof(last)));
    }
    kill(child, SIGKILL);
    while (read(pipe_fds[0], &last, sizeof(last)) == sizeof(last)) {
    }
    waitpid(child, nullptr, 0);
    close(pipe_fds[0]);
    acknowledged = last + 1;
  }
  Reopen();
  Ids ids;
  for (int i = 0; i < acknowledged; ++i)
    ids.push_back(absl::StrCat("rl/", i, "/0"));
  const auto groups = store_->Load(ids);
  COHORT_ASSERT_OK(groups);
  const auto rows = store_->List({});
  COHORT_ASSERT_OK(rows);
  // One more may have been stored and not acknowledged.
  EXPECT_GE(rows->size(), ids.size());
  EXPECT_LE(rows->size(), ids.size() + 1);
  for (int i = 0; i < acknowledged; ++i) {
    EXPECT_EQ((*rows)[static_cast<size_t>(i)].state,
              i % 3 == 0 ? "trained" : "stored");
  }
}

}  // namespace
}  // namespace cohort
