// JSONL -> Parquet. Arrow reads the rows itself, under the schema it is told.
#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/api.h"
#include "arrow/io/api.h"
#include "arrow/json/api.h"
#include "parquet/arrow/writer.h"
#include "parquet/properties.h"
#include "proto/parquet_library.h"

namespace cohort {
namespace {

constexpr int32_t kBlockBytes = 4 << 20;
// Of JSON in one row group.
constexpr int64_t kGroupBytes = 64 << 20;

std::shared_ptr<arrow::DataType> TypeOf(const ParquetColumn& column);

arrow::FieldVector FieldsOf(const std::vector<ParquetColumn>& columns) {
  arrow::FieldVector fields;
  for (const ParquetColumn& column : columns) {
    fields.push_back(arrow::field(column.name, TypeOf(column)));
  }
  return fields;
}

std::shared_ptr<arrow::DataType> TypeOf(const ParquetColumn& column) {
  switch (column.type) {
    case ParquetType::kText:
      return arrow::utf8();
    case ParquetType::kWhole:
      return arrow::int64();
    case ParquetType::kNumber:
      return arrow::float64();
    case ParquetType::kYesNo:
      return arrow::boolean();
    case ParquetType::kTokens:
      return arrow::list(arrow::int32());
    case ParquetType::kStruct:
      return arrow::struct_(FieldsOf(column.parts));
    case ParquetType::kStructs:
      return arrow::list(arrow::struct_(FieldsOf(column.parts)));
  }
  return arrow::null();
}

// A row must not be longer than a block that is read at a time.
arrow::Result<int32_t> BlockFor(const std::string& rows) {
  ARROW_ASSIGN_OR_RAISE(const auto file, arrow::io::ReadableFile::Open(rows));
  std::vector<char> block(kBlockBytes);
  int64_t longest = 0;
  int64_t length = 0;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const int64_t count,
                          file->Read(kBlockBytes, block.data()));
    if (count == 0) break;
    const auto end = block.begin() + count;
    for (auto at = block.begin(); at != end;) {
      const auto next = std::find(at, end, '\n');
      length += next - at;
      longest = std::max(longest, length);
      if (next != end) length = 0;
      at = next == end ? end : next + 1;
    }
  }
  if (longest > std::numeric_limits<int32_t>::max() / 4) {
    return arrow::Status::Invalid("a row of ", longest, " bytes");
  }
  return std::max(kBlockBytes, static_cast<int32_t>(longest * 2));
}

// The rows that were read, as one row group.
class GroupWriter {
 public:
  GroupWriter(std::shared_ptr<arrow::Schema> schema,
              std::unique_ptr<parquet::arrow::FileWriter> writer)
      : schema_(std::move(schema)), writer_(std::move(writer)) {}

  arrow::Status Add(std::shared_ptr<arrow::RecordBatch> batch, int64_t read) {
    batches_.push_back(std::move(batch));
    if (read - written_ < kGroupBytes) return arrow::Status::OK();
    written_ = read;
    return Flush();
  }

  arrow::Status Flush() {
    if (batches_.empty()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto table,
                          arrow::Table::FromRecordBatches(schema_, batches_));
    batches_.clear();
    return writer_->WriteTable(*table, std::max<int64_t>(1, table->num_rows()));
  }

  arrow::Status Close() {
    ARROW_RETURN_NOT_OK(Flush());
    return writer_->Close();
  }

 private:
  const std::shared_ptr<arrow::Schema> schema_;
  const std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches_;
  int64_t written_ = 0;  // Bytes of JSON in the groups before.
};

arrow::Status CopyRows(const std::string& rows, int32_t block_bytes,
                       const std::shared_ptr<arrow::Schema>& schema,
                       GroupWriter* writer) {
  ARROW_ASSIGN_OR_RAISE(const auto input, arrow::io::ReadableFile::Open(rows));
  ARROW_ASSIGN_OR_RAISE(const int64_t size, input->GetSize());
  if (size == 0) return arrow::Status::OK();
  arrow::json::ReadOptions reading;
  reading.use_threads = false;
  reading.block_size = block_bytes;
  arrow::json::ParseOptions parsing;
  parsing.explicit_schema = schema;
  parsing.unexpected_field_behavior =
      arrow::json::UnexpectedFieldBehavior::Ignore;
  ARROW_ASSIGN_OR_RAISE(const auto reader, arrow::json::StreamingReader::Make(
                                               input, reading, parsing));
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    ARROW_RETURN_NOT_OK(reader->ReadNext(&batch));
    if (batch == nullptr) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(
        writer->Add(std::move(batch), reader->bytes_processed()));
  }
}

arrow::Status Write(const std::string& rows,
                    const std::vector<ParquetColumn>& columns,
                    const std::string& path) {
  const auto schema = arrow::schema(FieldsOf(columns));
  ARROW_ASSIGN_OR_RAISE(const int32_t block_bytes, BlockFor(rows));
  ARROW_ASSIGN_OR_RAISE(const auto output,
                        arrow::io::FileOutputStream::Open(path));
  ARROW_ASSIGN_OR_RAISE(auto file,
                        parquet::arrow::FileWriter::Open(
                            *schema, arrow::default_memory_pool(), output,
                            parquet::WriterProperties::Builder()
                                .compression(parquet::Compression::ZSTD)
                                ->build()));
  GroupWriter writer(schema, std::move(file));
  ARROW_RETURN_NOT_OK(CopyRows(rows, block_bytes, schema, &writer));
  ARROW_RETURN_NOT_OK(writer.Close());
  return output->Close();
}

}  // namespace

absl::Status WriteParquetRows(const std::string& rows,
                              const std::vector<ParquetColumn>& columns,
                              const std::string& path) {
  const arrow::Status status = Write(rows, columns, path);
  if (status.ok()) return absl::OkStatus();
  const std::string message =
      absl::StrCat("cannot write ", path, " from ", rows, ": ",
                   status.message().substr(0, status.message().find('\n')));
  if (status.IsInvalid()) return absl::InvalidArgumentError(message);
  if (status.IsIOError()) return absl::UnavailableError(message);
  return absl::InternalError(message);
}

}  // namespace cohort
