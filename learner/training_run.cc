#include "learner/training_run.h"

#include <ATen/Parallel.h>
#include <torch/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "learner/sft_trainer.h"
#include "learner/step_metrics.h"
#include "learner/trainer.h"
#include "learner/trainer_state.h"
#include "learner/weight_publisher.h"
#include "model/guard.h"
#include "proto/log.h"
#include "proto/rows.h"
#include "proto/status.h"

namespace cohort {
namespace {

void SetThreads(const LearnerConfig& config) {
  const int cores =
      std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  at::set_num_threads(config.threads > 0 ? config.threads : cores);
}

}  // namespace

TrainingRun::TrainingRun(RunStart* start)
    : config_(*start->config),
      signal_(start->signal),
      dir_(start->dir),
      checkpoint_(start->checkpoint),
      state_(start->state),
      recorded_step_(start->state.step),
      progress_(stderr, isatty(STDERR_FILENO) != 0),
      host_(start->host.get()) {
  clock_.Continue(state_.totals);
}

TrainingRun::~TrainingRun() {
  if (host_ != nullptr) host_->Stop();
}

absl::StatusOr<std::unique_ptr<TrainingRun>> TrainingRun::Open(
    RunStart* start) {
  std::unique_ptr<TrainingRun> run(new TrainingRun(start));
  if (const absl::Status loaded = run->LoadAll(); !loaded.ok()) {
    run.reset();
    start->dir.Abandon();
    return loaded;
  }
  COHORT_RETURN_IF_ERROR(run->OpenRecords());
  return run;
}

absl::Status TrainingRun::LoadAll() {
  COHORT_RETURN_IF_ERROR(LiveExport::Check(config_));
  SetThreads(config_.learner);
  COHORT_ASSIGN_OR_RETURN(policy_, LoadPolicy(config_, checkpoint_));
  // Local workers share the learner's.
  if (policy_.model->device().is_cuda()) clock_.HoldGpus(1);
  COHORT_ASSIGN_OR_RETURN(data_, LoadStages(config_, state_.stage, policy_));
  return absl::OkStatus();
}

absl::Status TrainingRun::OpenRecords() {
  COHORT_RETURN_IF_ERROR(
      WriteFileAtomically(dir_.config(), PrintConfig(config_)));
  COHORT_ASSIGN_OR_RETURN(store_, ExperienceStore::Open(dir_.store()));
  if (dir_.existed()) {
    COHORT_ASSIGN_OR_RETURN(
        const ExperienceStore::RollBackCounts counts,
        store_->RollBack(state_.step, state_.policy_version));
    COHORT_LOG(INFO) << "resuming run=" << dir_.path()
                     << " step=" << state_.step
                     << " groups_deleted=" << counts.deleted
                     << " groups_to_train_again=" << counts.stored_again;
  }
  COHORT_ASSIGN_OR_RETURN(live_export_,
                          LiveExport::Open(config_, dir_.store(), state_.step));
  COHORT_ASSIGN_OR_RETURN(
      metrics_,
      MetricsWriter::Open(dir_.metrics(), dir_.tensorboard(), state_.step + 1));
  return absl::OkStatus();
}

bool TrainingRun::finished() const {
  return state_.stage >= static_cast<int64_t>(config_.stages.size());
}

absl::Status TrainingRun::Run() {
  absl::Status status = CheckPrompts();
  if (status.ok()) status = RunStages();
  progress_.End();
  if (host_ != nullptr) host_->Stop();
  COHORT_RETURN_IF_ERROR(signal_->failure());
  COHORT_RETURN_IF_ERROR(status);
  return finished() ? Summarise() : absl::OkStatus();
}

absl::Status TrainingRun::CheckPrompts() {
  for (const StageData& data : data_) {
    if (!data.prompts.has_value()) continue;
    COHORT_RETURN_IF_ERROR(host_->CheckPrompts(*data.prompts));
  }
  return absl::OkStatus();
}

absl::Status TrainingRun::RunStages() {
  while (!finished() && !signal_->token().stop_requested()) {
    const size_t i = static_cast<size_t>(state_.stage);
    COHORT_RETURN_IF_ERROR(RunStage(config_.stages[i], std::move(data_[i])));
  }
  return absl::OkStatus();
}

absl::Status TrainingRun::RunStage(const StageConfig& stage, StageData data) {
  SetThreads(stage.learner);
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<StageTrainer> trainer,
                          MakeTrainer(stage, &data));
  if (state_.stage_step > 0) {
    COHORT_RETURN_IF_ERROR(trainer->Restore(checkpoint_, state_));
  }
  if (stage.kind == "rl") {
    COHORT_RETURN_IF_ERROR(host_->AdmitWorkers(
        WelcomeOf(policy_, stage.rollout, NewRunId()), store_.get()));
    if (host_->board()->newest_version() < state_.policy_version) {
      COHORT_RETURN_IF_ERROR(PublishWeights(
          *policy_.model, state_.policy_version, store_.get(), host_->board()));
    }
  }
  progress_.BeginStage(state_.stage_step, absl::Now());
  const absl::Status looped = StepLoop(stage, trainer.get());
  if (!looped.ok()) return Interrupt(trainer.get(), looped);

  state_.stage_ends.push_back(state_.step);
  ++state_.stage;
  state_.stage_step = 0;
  state_.prompt_cursor.clear();
  state_.optimizer_steps = 0;
  return Checkpoint(nullptr, /*between_stages=*/true);
}

absl::StatusOr<std::unique_ptr<StageTrainer>> TrainingRun::MakeTrainer(
    const StageConfig& stage, StageData* data) {
  evaluator_.reset();
  if (stage.kind == "sft") {
    return std::make_unique<SftTrainer>(stage, *std::move(data->corpus),
                                        policy_.model.get());
  }
  const uint64_t seed = static_cast<uint64_t>(config_.run.seed);
  const Sampling sampling =
      SamplingOf(stage.rollout, seed, policy_.model->config().eos_token_ids);
  source_ = std::make_unique<PromptSource>(std::move(data->prompts->training),
                                           seed, stage.name);
  evaluator_ = std::make_unique<Evaluator>(std::move(data->prompts->evaluation),
                                           stage.learner, stage.name, sampling,
                                           store_.get(), host_->book());
  return Trainer::Create({.stage = &stage,
                          .policy = policy_.model.get(),
                          .sampling = sampling,
                          .source = source_.get(),
                          .store = store_.get(),
                          .book = host_->book(),
                          .board = host_->board()});
}

absl::Status TrainingRun::StepLoop(const StageConfig& stage,
                                   StageTrainer* trainer) {
  if (state_.stage_step == 0) COHORT_RETURN_IF_ERROR(EvaluateBefore());
  while (state_.stage_step < stage.steps) {
    COHORT_ASSIGN_OR_RETURN(StepReport report,
                            trainer->Step(&state_, signal_->token()));
    COHORT_RETURN_IF_ERROR(FinishStep(stage, trainer, std::move(report)));
  }
  return absl::OkStatus();
}

absl::Status TrainingRun::FinishStep(const StageConfig& stage,
                                     StageTrainer* trainer, StepReport report) {
  const bool last = state_.stage_step == stage.steps;
  const int every = stage.learner.eval_every;
  bool due = !last && state_.step % config_.run.checkpoint_every == 0;
  if (evaluator_ != nullptr && !evaluator_->empty()) {
    if (last || (every > 0 && state_.stage_step % every == 0)) {
      COHORT_ASSIGN_OR_RETURN(const double score, EvaluateAfter(&report.row));
      if (score > state_.best_score) {
        state_.best_score = score;
        state_.best_step = state_.step;
        due = !last;
      }
    }
  } else if (stage.kind == "rl" && (due || last) &&
             report.score > state_.best_score) {
    state_.best_score = report.score;
    state_.best_step = state_.step;
  }
  clock_.Update(host_, &state_.totals);
  report.row.Set("wall_s", state_.totals.wall_s);
  report.row.Set("cpu_s", state_.totals.cpu_s);
  COHORT_RETURN_IF_ERROR(metrics_->Write(report.row));
  recorded_step_ = state_.step;
  progress_.Show(report.progress, absl::Now());
  return due ? Checkpoint(trainer, /*between_stages=*/false) : absl::OkStatus();
}

absl::Status TrainingRun::EvaluateBefore() {
  if (evaluator_ == nullptr || evaluator_->empty()) return absl::OkStatus();
  COHORT_ASSIGN_OR_RETURN(
      const EvaluationResult result,
      evaluator_->Run(state_.step, state_.policy_version, signal_->token()));
  RecordBefore(result, &state_.totals);
  COHORT_LOG(INFO) << "evaluated before the stage greedy="
                   << result.overall.greedy
                   << " sampled=" << result.overall.sampled;
  return absl::OkStatus();
}

absl::StatusOr<double> TrainingRun::EvaluateAfter(MetricsRow* row) {
  const absl::Time began = absl::Now();
  COHORT_ASSIGN_OR_RETURN(
      const EvaluationResult result,
      evaluator_->Run(state_.step, state_.policy_version, signal_->token()));
  RecordAfter(result, row, &state_.totals);
  AddTimes({{"eval_s", absl::ToDoubleSeconds(absl::Now() - began)}}, &state_,
           row);
  return result.overall.greedy;
}

absl::Status TrainingRun::Checkpoint(const StageTrainer* trainer,
                                     bool between_stages) {
  clock_.Update(host_, &state_.totals);
  CheckpointParts parts{.policy = policy_.model.get(),
                        .config_json = policy_.config_json,
                        .source_folder = policy_.folder};
  if (!between_stages) {
    state_.prompt_cursor = trainer->SaveCursor();
    parts.optimizer = &trainer->optimizer();
    parts.reference = trainer->reference();
  }
  COHORT_RETURN_IF_ERROR(store_->Sync());
  COHORT_ASSIGN_OR_RETURN(state_.totals.checkpoint,
                          SaveCheckpoint(dir_.checkpoints(), state_, parts));
  // Behind the checkpoint: a row never comes of a step that may be lost.
  if (live_export_ != nullptr) {
    COHORT_RETURN_IF_ERROR(live_export_->Advance(state_.step));
  }
  const int keep = config_.learner.keep_groups_steps;
  if (keep > 0) {
    COHORT_RETURN_IF_ERROR(
        store_->DropContents(state_.step - keep, state_.policy_version - keep));
  }
  return RemoveOldCheckpoints(dir_.checkpoints(), state_,
                              config_.run.keep_checkpoints);
}

absl::Status TrainingRun::Interrupt(const StageTrainer* trainer,
                                    const absl::Status& reason) {
  if (!absl::IsCancelled(reason)) return reason;
  // Stopped while the step was evaluated: without its row it is made again.
  if (state_.stage_step == 0 || state_.step != recorded_step_) {
    return absl::OkStatus();
  }
  return Checkpoint(trainer, /*between_stages=*/false);
}

absl::Status TrainingRun::Summarise() {
  clock_.Update(host_, &state_.totals);
  state_.totals.steps = state_.step;
  state_.totals.price_per_cpu_hour = config_.run.price_per_cpu_hour;
  state_.totals.price_per_gpu_hour = config_.run.price_per_gpu_hour;
  COHORT_RETURN_IF_ERROR(WriteSummary(state_.totals, dir_));
  const std::string text = SummaryText(state_.totals);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  return absl::OkStatus();
}

absl::StatusOr<RunEnd> RunTraining(RunStart* start) {
  COHORT_ASSIGN_OR_RETURN(const std::unique_ptr<TrainingRun> run,
                          TrainingRun::Open(start));
  COHORT_RETURN_IF_ERROR(run->Run());
  return RunEnd{.finished = run->finished(), .step = run->state().step};
}

}  // namespace cohort
