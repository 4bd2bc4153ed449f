#include "proto/rpc.h"
