#include "peer.h"

peer *xnnpack_prepare(const problem *q, const char *way);
