// Arrow's arrays -> JSON.
#include <charconv>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "arrow/api.h"
#include "parquet/arrow/reader.h"
#include "parquet/properties.h"
#include "proto/json_text.h"
#include "proto/parquet_library.h"
#include "proto/status.h"

namespace cohort {
namespace {

constexpr int64_t kBatchRows = 1024;

// Appends the value in row `row`, which is not null.
using CellWriter = std::function<void(int64_t row, std::string* out)>;

CellWriter WriterOf(const std::shared_ptr<arrow::Array>& array);

void AppendCell(const arrow::Array& array, const CellWriter& write, int64_t row,
                std::string* out) {
  if (array.IsNull(row)) {
    *out += "null";
  } else {
    write(row, out);
  }
}

template <typename Number>
void AppendNumber(Number value, std::string* out) {
  if constexpr (std::is_floating_point_v<Number>) {
    if (!std::isfinite(value)) {
      *out += "null";
      return;
    }
  }
  char text[32];
  const char* const end = std::to_chars(text, text + sizeof(text), value).ptr;
  const std::string_view digits(text, static_cast<size_t>(end - text));
  *out += digits;
  // A real number stays one.
  if (std::is_floating_point_v<Number> &&
      digits.find_first_of(".e") == std::string_view::npos) {
    *out += ".0";
  }
}

template <typename ArrayType>
CellWriter NumberWriter(const std::shared_ptr<arrow::Array>& array) {
  return [values = std::static_pointer_cast<ArrayType>(array)](
             int64_t row, std::string* out) {
    AppendNumber(values->Value(row), out);
  };
}

template <typename ArrayType>
CellWriter TextWriter(const std::shared_ptr<arrow::Array>& array) {
  return [values = std::static_pointer_cast<ArrayType>(array)](
             int64_t row, std::string* out) {
    const std::string_view bytes = values->GetView(row);
    if (IsUtf8(bytes)) {
      AppendJsonText(bytes, out);
    } else {
      absl::StrAppend(out, "{\"bytes\":", bytes.size(), "}");
    }
  };
}

template <typename ArrayType>
CellWriter ListWriter(const std::shared_ptr<arrow::Array>& array) {
  const auto lists = std::static_pointer_cast<ArrayType>(array);
  return [lists, write = WriterOf(lists->values())](int64_t row,
                                                    std::string* out) {
    *out += '[';
    const int64_t begin = lists->value_offset(row);
    const int64_t end = begin + lists->value_length(row);
    for (int64_t i = begin; i < end; ++i) {
      if (i > begin) *out += ',';
      AppendCell(*lists->values(), write, i, out);
    }
    *out += ']';
  };
}

// Columns, or the parts of a struct, as an object.
class ObjectWriter {
 public:
  ObjectWriter(const arrow::FieldVector& fields,
               const arrow::ArrayVector& arrays) {
    for (size_t i = 0; i < arrays.size(); ++i) {
      std::string key = i == 0 ? "" : ",";
      AppendJsonText(fields[i]->name(), &key);
      key += ':';
      parts_.push_back({std::move(key), arrays[i], WriterOf(arrays[i])});
    }
  }

  void Append(int64_t row, std::string* out) const {
    *out += '{';
    for (const Part& part : parts_) {
      *out += part.key;
      AppendCell(*part.array, part.write, row, out);
    }
    *out += '}';
  }

 private:
  struct Part {
    std::string key;
    std::shared_ptr<arrow::Array> array;
    CellWriter write;
  };
  std::vector<Part> parts_;
};

CellWriter StructWriter(const std::shared_ptr<arrow::Array>& array) {
  const auto structs = std::static_pointer_cast<arrow::StructArray>(array);
  arrow::ArrayVector parts;
  for (int i = 0; i < structs->num_fields(); ++i) {
    parts.push_back(structs->field(i));
  }
  return [writer = ObjectWriter(structs->type()->fields(), parts)](
             int64_t row, std::string* out) { writer.Append(row, out); };
}

CellWriter DictionaryWriter(const std::shared_ptr<arrow::Array>& array) {
  const auto entries = std::static_pointer_cast<arrow::DictionaryArray>(array);
  return [entries, write = WriterOf(entries->dictionary())](int64_t row,
                                                            std::string* out) {
    AppendCell(*entries->dictionary(), write, entries->GetValueIndex(row), out);
  };
}

// Dates, decimals and the like: as they are printed.
CellWriter PrintedWriter(const std::shared_ptr<arrow::Array>& array) {
  return [array](int64_t row, std::string* out) {
    const arrow::Result<std::shared_ptr<arrow::Scalar>> value =
        array->GetScalar(row);
    AppendJsonText(value.ok() ? (*value)->ToString() : "", out);
  };
}

CellWriter WriterOf(const std::shared_ptr<arrow::Array>& array) {
  switch (array->type_id()) {
    case arrow::Type::BOOL:
      return [values = std::static_pointer_cast<arrow::BooleanArray>(array)](
                 int64_t row, std::string* out) {
        *out += values->Value(row) ? "true" : "false";
      };
    case arrow::Type::INT8:
      return NumberWriter<arrow::Int8Array>(array);
    case arrow::Type::UINT8:
      return NumberWriter<arrow::UInt8Array>(array);
    case arrow::Type::INT16:
      return NumberWriter<arrow::Int16Array>(array);
    case arrow::Type::UINT16:
      return NumberWriter<arrow::UInt16Array>(array);
    case arrow::Type::INT32:
      return NumberWriter<arrow::Int32Array>(array);
    case arrow::Type::UINT32:
      return NumberWriter<arrow::UInt32Array>(array);
    case arrow::Type::INT64:
      return NumberWriter<arrow::Int64Array>(array);
    case arrow::Type::UINT64:
      return NumberWriter<arrow::UInt64Array>(array);
    case arrow::Type::FLOAT:
      return NumberWriter<arrow::FloatArray>(array);
    case arrow::Type::DOUBLE:
      return NumberWriter<arrow::DoubleArray>(array);
    case arrow::Type::STRING:
    case arrow::Type::BINARY:  // Older writers' texts.
      return TextWriter<arrow::BinaryArray>(array);
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return TextWriter<arrow::LargeBinaryArray>(array);
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return TextWriter<arrow::BinaryViewArray>(array);
    case arrow::Type::FIXED_SIZE_BINARY:
      return TextWriter<arrow::FixedSizeBinaryArray>(array);
    case arrow::Type::LIST:
    case arrow::Type::MAP:  // A list of {key, value}.
      return ListWriter<arrow::ListArray>(array);
    case arrow::Type::LARGE_LIST:
      return ListWriter<arrow::LargeListArray>(array);
    case arrow::Type::FIXED_SIZE_LIST:
      return ListWriter<arrow::FixedSizeListArray>(array);
    case arrow::Type::STRUCT:
      return StructWriter(array);
    case arrow::Type::DICTIONARY:
      return DictionaryWriter(array);
    default:
      return PrintedWriter(array);
  }
}

// Arrow's messages may be of several lines.
absl::Status FileError(const std::string& path, const arrow::Status& status) {
  const std::string message = status.message();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": not a Parquet file that can be read: ",
                   message.substr(0, message.find('\n'))));
}

arrow::Result<std::unique_ptr<parquet::arrow::FileReader>> OpenReader(
    const std::string& path) {
  parquet::ArrowReaderProperties properties(/*use_threads=*/false);
  properties.set_batch_size(kBatchRows);
  properties.set_pre_buffer(false);
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.OpenFile(path));
  return builder.properties(properties)->Build();
}

}  // namespace

absl::Status ReadParquetRows(
    const std::string& path,
    const std::function<absl::Status(int64_t number, std::string_view json)>&
        use) {
  auto reader = OpenReader(path);
  if (!reader.ok()) return FileError(path, reader.status());
  auto batches = (*reader)->GetRecordBatchReader();
  if (!batches.ok()) return FileError(path, batches.status());
  std::string line;
  int64_t number = 0;
  while (true) {
    std::shared_ptr<arrow::RecordBatch> batch;
    const arrow::Status read = (*batches)->ReadNext(&batch);
    if (!read.ok()) return FileError(path, read);
    if (batch == nullptr) return absl::OkStatus();
    const ObjectWriter writer(batch->schema()->fields(), batch->columns());
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      line.clear();
      writer.Append(row, &line);
      COHORT_RETURN_IF_ERROR(use(++number, line));
    }
  }
}

}  // namespace cohort
