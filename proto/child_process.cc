#include "proto/child_process.h"
