#include "proto/rows.h"
