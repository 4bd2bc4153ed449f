# LibTorch out of the wheel, as imported targets of our own.
#
# The wheel's own find_package(Torch) insists on a CUDA toolkit, probes
# architectures that CMake 3.25 does not know, and defines an empty
# protobuf::libprotobuf. The binaries link the CPU libraries only; where a GPU
# is present, model/device.cc loads libtorch_cuda.so and our kernels at run
# time, so that one build serves both and a start without a GPU stays cheap.
file(GLOB COHORT_TORCH_DIR
  ${COHORT_VENV}/lib/python3*/site-packages/torch)
if(NOT COHORT_TORCH_DIR)
  message(FATAL_ERROR
    "no LibTorch under ${COHORT_VENV}: run scripts/setup.sh first, "
    "or configure with -DCOHORT_TORCH=OFF")
endif()
set(COHORT_TORCH_LIB ${COHORT_TORCH_DIR}/lib)
# NCCL, cuDNN and the CUDA libraries lie beside the wheel.
cmake_path(GET COHORT_TORCH_DIR PARENT_PATH COHORT_SITE_PACKAGES)

add_library(cohort_torch INTERFACE)
target_include_directories(cohort_torch SYSTEM INTERFACE
  ${COHORT_TORCH_DIR}/include
  ${COHORT_TORCH_DIR}/include/torch/csrc/api/include)
# -pthread defines _REENTRANT, which the precompiled header must share with all.
# (gRPC's targets bring it; Threads::Threads alone does not.)
target_compile_options(cohort_torch INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-pthread>)
target_link_libraries(cohort_torch INTERFACE Threads::Threads
  ${COHORT_TORCH_LIB}/libtorch_cpu.so
  ${COHORT_TORCH_LIB}/libc10.so
  ${COHORT_TORCH_LIB}/libgomp.so.1)
target_link_options(cohort_torch INTERFACE
  "LINKER:-rpath,${COHORT_TORCH_LIB}" "LINKER:-rpath-link,${COHORT_TORCH_LIB}")

# <torch/types.h> alone costs 12 s a file: it is parsed once, here, and every
# target that includes it reuses the result (target_precompile_headers
# REUSE_FROM cohort_torch_pch).
file(WRITE ${PROJECT_BINARY_DIR}/torch_pch.cc "")
add_library(cohort_torch_pch OBJECT ${PROJECT_BINARY_DIR}/torch_pch.cc)
target_precompile_headers(cohort_torch_pch PRIVATE <torch/types.h>)
target_link_libraries(cohort_torch_pch PRIVATE
  cohort_torch cohort_warnings)

# cohort_use_torch(target): LibTorch and its precompiled header.
function(cohort_use_torch target)
  target_link_libraries(${target} PUBLIC cohort_torch PRIVATE cohort_warnings)
  # Programs would be compiled with -fPIE, which does not fit the header.
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${target} REUSE_FROM cohort_torch_pch)
endfunction()

find_program(COHORT_NVCC nvcc HINTS /usr/local/cuda/bin)
if(COHORT_NVCC)
  set(CMAKE_CUDA_COMPILER ${COHORT_NVCC})
  if(NOT CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 90-virtual)
  endif()
  enable_language(CUDA)
  # CMake 3.25 does not know how to ask CUDA 13 for C++20.
  set(CMAKE_CUDA_STANDARD 17)
  set(COHORT_CUDA ON)
endif()
