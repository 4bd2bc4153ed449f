#include "proto/parquet.h"

#include <stdio.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/check.h"
#include "proto/rows.h"
#include "tests/testing/status_matchers.h"
#include "tests/testing/temp_dir.h"

namespace cohort {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::StatusCode kWrong = absl::StatusCode::kInvalidArgument;

class ParquetTest : public testing::Test {
 protected:
  // What pyarrow, the reader and writer on the other side, prints. `path` is
  // the file at hand.
  std::string RunPyArrow(const std::string& code, const std::string& path) {
    const std::string script =
        dir_.Write("script.py", absl::StrCat("import json, datetime, decimal\n"
                                             "import pyarrow as pa\n"
                                             "import pyarrow.parquet as pq\n"
                                             "path = '",
                                             path, "'\n", code));
    FILE* const pipe =
        popen(absl::StrCat(PYTHON " ", script, " 2>&1").c_str(), "r");
    COHORT_CHECK(pipe != nullptr);
    std::string output;
    char buffer[4096];
    while (const size_t count = fread(buffer, 1, sizeof(buffer), pipe)) {
      output.append(buffer, count);
    }
    EXPECT_EQ(pclose(pipe), 0) << output;
    return output;
  }

  std::vector<std::string> ReadAll(const std::string& path) {
    std::vector<std::string> rows;
    COHORT_EXPECT_OK(
        ForEachParquetRow(path, [&](int64_t number, std::string_view json) {
          rows.emplace_back(json);
          EXPECT_EQ(number, static_cast<int64_t>(rows.size()));
          return absl::OkStatus();
        }));
    return rows;
  }

  const TempDir dir_;
  const std::string file_ = dir_ / "rows.parquet";
};

TEST_F(ParquetTest, EveryKindOfColumnBecomesJson) {
  RunPyArrow(R"(
pq.write_table(pa.table({
    "text": pa.array(["a\"\n", None]),
    "large": pa.array(["x", "y"], pa.large_string()),
    "word": pa.array(["p", "q"]).dictionary_encode(),
    "small": pa.array([-5, None], pa.int8()),
    "big": pa.array([2**64 - 1, 0], pa.uint64()),
    "real": pa.array([42.0, float("nan")], pa.float64()),
    "single": pa.array([0.1, -1e30], pa.float32()),
    "yes": pa.array([True, False]),
    "list": pa.array([[1, None], []], pa.list_(pa.int64())),
    "fixed": pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)),
    "messages": pa.array([[{"role": "user", "content": "hi"}], None]),
    "day": pa.array([datetime.date(2024, 2, 29), None]),
    "money": pa.array([decimal.Decimal("12.50"), None]),
    "bytes": pa.array([b"plain", b"\xff\xfe"], pa.binary()),
    "nothing": pa.nulls(2),
}), path)
)",
             file_);
  EXPECT_THAT(
      ReadAll(file_),
      ElementsAre(
          R"({"text":"a\"\n","large":"x","word":"p","small":-5,)"
          R"("big":18446744073709551615,"real":42.0,"single":0.1,"yes":true,)"
          R"("list":[1,null],"fixed":[1,2],)"
          R"("messages":[{"role":"user","content":"hi"}],"day":"2024-02-29",)"
          R"("money":"12.50","bytes":"plain","nothing":null})",
          R"({"text":null,"large":"y","word":"q","small":null,"big":0,)"
          R"("real":null,"single":-1e+30,"yes":false,"list":[],"fixed":[3,4],)"
          R"("messages":null,"day":null,"money":null,"bytes":{"bytes":2},)"
          R"("nothing":null})"));
}

TEST_F(ParquetTest, RowsKeepTheirOrderOverBatchesAndRowGroups) {
  RunPyArrow(
      "pq.write_table(pa.table({'n': list(range(5000))}), path,"
      " row_group_size=700)\n",
      file_);
  const std::vector<std::string> rows = ReadAll(file_);
  ASSERT_THAT(rows, SizeIs(5000));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(rows[static_cast<size_t>(i)], absl::StrCat("{\"n\":", i, "}"));
  }
}

TEST_F(ParquetTest, PromptsAreReadAsFromJsonl) {
  RunPyArrow(R"(
rows = [{"id": "a", "prompt": "2+2=", "verifier": "math", "answer": "4"},
        {"id": "b", "messages": [{"role": "user", "content": "3+3="}],
         "verifier": "countdown", "answer": 7, "numbers": [3, 3], "target": 6}]
for row in rows: row["answer"] = str(row["answer"])
pq.write_table(pa.Table.from_pylist(rows, pa.schema([
    ("id", pa.string()), ("prompt", pa.string()),
    ("messages", pa.list_(pa.struct([("role", pa.string()),
                                     ("content", pa.string())]))),
    ("verifier", pa.string()), ("answer", pa.string()),
    ("numbers", pa.list_(pa.int64())), ("target", pa.int64())])), path)
with open(path + ".jsonl", "w") as file:
    for row in rows: print(json.dumps(row), file=file)
)",
             file_);
  auto prompts = ReadPrompts(file_, {}, "");
  auto expected = ReadPrompts(file_ + ".jsonl", {}, "");
  COHORT_ASSERT_OK(prompts);
  COHORT_ASSERT_OK(expected);
  ASSERT_THAT(*prompts, SizeIs(2));
  for (size_t i = 0; i < 2; ++i) {
    (*prompts)[i].clear_row_json();
    (*expected)[i].clear_row_json();
    EXPECT_EQ((*prompts)[i].DebugString(), (*expected)[i].DebugString());
  }
}

TEST_F(ParquetTest, AWrongColumnTypeIsNamedWithItsRow) {
  RunPyArrow(
      "pq.write_table(pa.table({'prompt': ['a', 'b'],"
      " 'answer': pa.array([None, True])}), path)\n",
      file_);
  EXPECT_THAT(ReadPrompts(file_, {}, "math"),
              StatusIs(kWrong, AllOf(HasSubstr("rows.parquet: row 2: "),
                                     HasSubstr("'answer' must be text or "
                                               "number, is boolean"))));
}

TEST_F(ParquetTest, AMissingColumnIsNamed) {
  RunPyArrow("pq.write_table(pa.table({'question': ['a']}), path)\n", file_);
  EXPECT_THAT(ReadPrompts(file_, {}, "math"),
              StatusIs(kWrong, HasSubstr("row 1: no prompt")));
  PromptFields fields;
  fields.prompt = "question";
  fields.answer = "solution";
  EXPECT_THAT(ReadPrompts(file_, fields, "math"),
              StatusIs(kWrong, HasSubstr("row 1: no field 'solution'")));
  EXPECT_THAT(ReadTexts(file_, "text"),
              StatusIs(kWrong, HasSubstr("row 1: no text in field 'text'")));
}

TEST_F(ParquetTest, AnIdTwiceIsNamedWithBothRows) {
  RunPyArrow(
      "pq.write_table(pa.table({'id': ['x', 'x'], 'prompt': ['a', 'b']}),"
      " path)\n",
      file_);
  EXPECT_THAT(ReadPrompts(file_, {}, "math"),
              StatusIs(kWrong, AllOf(HasSubstr("row 2: "),
                                     HasSubstr("stands in row 1 too"))));
}

TEST_F(ParquetTest, WhatIsNoParquetFileIsSaidSo) {
  EXPECT_THAT(ReadPrompts(dir_ / "none.parquet", {}, "math"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("none.parquet")));
  for (const std::string content : {"", "PAR1", "not a table at all PAR1"}) {
    dir_.Write("rows.parquet", content);
    EXPECT_THAT(ReadPrompts(file_, {}, "math"),
                StatusIs(kWrong, HasSubstr("rows.parquet: not a Parquet")));
  }
  // Cut, as by a full disk.
  RunPyArrow("pq.write_table(pa.table({'n': list(range(5000))}), path)\n",
             file_);
  dir_.Write("rows.parquet", TempDir::Read(file_).substr(0, 1000));
  EXPECT_THAT(ReadPrompts(file_, {}, "math"),
              StatusIs(kWrong, HasSubstr("rows.parquet")));
}

const std::vector<ParquetColumn>& SomeColumns() {
  static const auto* const columns = new std::vector<ParquetColumn>{
      {"messages",
       ParquetType::kStructs,
       {{"role", ParquetType::kText}, {"content", ParquetType::kText}}},
      {"score", ParquetType::kNumber},
      {"count", ParquetType::kWhole},
      {"ids", ParquetType::kTokens},
      {"weak", ParquetType::kYesNo},
      {"sampling", ParquetType::kStruct, {{"top_p", ParquetType::kNumber}}}};
  return *columns;
}

TEST_F(ParquetTest, WhatIsWrittenPyArrowReads) {
  const std::string rows = dir_.Write(
      "rows.jsonl",
      R"({"messages":[{"role":"user","content":"a\nb"}],"score":1,"count":-3,)"
      R"("ids":[1,2],"weak":true,"sampling":{"top_p":0.95},"extra":1})"
      "\n"
      R"({"messages":[],"score":0.5,"count":null,"ids":[]})"
      "\n");
  COHORT_ASSERT_OK(WriteParquet(rows, SomeColumns(), file_));
  EXPECT_EQ(RunPyArrow("table = pq.read_table(path)\n"
                       "for row in table.to_pylist(): print(json.dumps(row))\n"
                       "print(table.schema.field('ids').type)\n",
                       file_),
            "{\"messages\": [{\"role\": \"user\", \"content\": \"a\\nb\"}], "
            "\"score\": 1.0, \"count\": -3, \"ids\": [1, 2], \"weak\": true, "
            "\"sampling\": {\"top_p\": 0.95}}\n"
            "{\"messages\": [], \"score\": 0.5, \"count\": null, \"ids\": [], "
            "\"weak\": null, \"sampling\": null}\n"
            "list<element: int32>\n");
  EXPECT_FALSE(std::filesystem::exists(file_ + ".tmp"));
}

TEST_F(ParquetTest, TheSameRowsMakeTheSameBytes) {
  std::string rows;
  for (int i = 0; i < 20000; ++i) {
    absl::StrAppend(&rows, "{\"count\":", i, ",\"score\":0.25}\n");
  }
  dir_.Write("rows.jsonl", rows);
  COHORT_ASSERT_OK(WriteParquet(dir_ / "rows.jsonl", SomeColumns(), file_));
  const std::string first = TempDir::Read(file_);
  COHORT_ASSERT_OK(WriteParquet(dir_ / "rows.jsonl", SomeColumns(), file_));
  EXPECT_EQ(TempDir::Read(file_), first);
  EXPECT_THAT(ReadAll(file_), SizeIs(20000));
}

TEST_F(ParquetTest, ARowMayBeLongerThanABlock) {
  const std::string long_text(9 << 20, 'x');
  dir_.Write("rows.jsonl",
             absl::StrCat("{\"count\":1}\n{\"messages\":[{\"role\":\"u\","
                          "\"content\":\"",
                          long_text, "\"}]}\n{\"count\":3}\n"));
  COHORT_ASSERT_OK(WriteParquet(dir_ / "rows.jsonl", SomeColumns(), file_));
  EXPECT_THAT(ReadAll(file_),
              ElementsAre(HasSubstr("\"count\":1"), HasSubstr(long_text),
                          HasSubstr("\"count\":3")));
}

TEST_F(ParquetTest, NoRowsAreATableOfNoRows) {
  dir_.Write("rows.jsonl", "");
  COHORT_ASSERT_OK(WriteParquet(dir_ / "rows.jsonl", SomeColumns(), file_));
  EXPECT_THAT(ReadAll(file_), SizeIs(0));
  EXPECT_EQ(RunPyArrow("print(pq.read_table(path).num_columns)\n", file_),
            "6\n");
}

TEST_F(ParquetTest, RowsThatDoNotFitTheColumnsLeaveNoFile) {
  dir_.Write("rows.jsonl", "{\"count\":\"many\"}\n");
  EXPECT_THAT(
      WriteParquet(dir_ / "rows.jsonl", SomeColumns(), file_),
      StatusIs(kWrong, AllOf(HasSubstr("rows.parquet"), HasSubstr("count"))));
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_FALSE(std::filesystem::exists(file_ + ".tmp"));
}

}  // namespace
}  // namespace cohort
